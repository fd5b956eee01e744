"""Mistakes of the finished gradient: clipped by its norm, or rounded; and the answer "unknown"."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manual_grads.check.diagnosis.causes import EVERYWHERE, Cause

Leaves = Mapping[str, np.ndarray]
LOW_PRECISIONS = {"bfloat16": (8, 2.0**-8), "float16": (11, 2.0**-11)}
"""The number of significant bits and the unit roundoff of each type."""


def of_the_whole(trials: Sequence[Any]) -> Cause | None:
    """A mistake that changes the whole finished gradient, if it explains every batch."""
    return _clipped_by_norm(trials) or _low_precision(trials[0])


def _norm(leaves: Leaves) -> float:
    return float(np.sqrt(sum(np.sum(leaf**2) for leaf in leaves.values())))


def times(trial: Any, factor: float) -> bool:
    """Whether the handwritten gradient is the right one times `factor`."""
    return all(
        np.all(
            np.abs(trial.handwritten[leaf] - factor * trial.autodiff[leaf])
            <= max(1.0, abs(factor)) * trial.allowed[leaf]
        )
        for leaf in trial.allowed
    )


def _clipped_by_norm(trials: Sequence[Any]) -> Cause | None:
    limit = _norm(trials[0].handwritten)
    is_round = abs(limit - float(f"{limit:.3g}")) <= 1e-6 * limit
    if not 0 < limit < _norm(trials[0].autodiff) or not is_round:
        return None
    norms = [_norm(trial.autodiff) for trial in trials]
    if all(times(t, min(1.0, limit / norm)) for t, norm in zip(trials, norms, strict=True)):
        return Cause(
            "clipped",
            (EVERYWHERE,),
            f"the gradient is clipped to norm {limit:.3g}; clip only in the optimiser",
            f"gradient · min(1, {limit:.3g}/‖gradient‖)",
            "gradient",
        )
    return None


def _low_precision(trial: Any) -> Cause | None:
    for name, (bits, u) in LOW_PRECISIONS.items():
        mantissas = [np.frexp(leaf)[0] * 2**bits for leaf in trial.handwritten.values()]
        if not all(np.array_equal(mantissa, np.round(mantissa)) for mantissa in mantissas):
            continue
        close = all(
            np.abs(trial.handwritten[leaf] - right).max() <= 64 * u * np.abs(right).max()
            for leaf, right in trial.autodiff.items()
        )
        if close:
            words = f"all values are rounded to {name}; compute in float32 or float64"
            return Cause("low-precision", (EVERYWHERE,), words)
    return None


def unexplained(trials: Sequence[Any], names: Sequence[str]) -> Cause:
    """The answer if nothing explains the gradient: nearly right, or unknown."""
    trial = next((one for one in trials if one.bad()), trials[0])
    shares = {
        leaf: float(np.abs(trial.handwritten[leaf] - right).max() / (np.abs(right).max() or np.inf))
        for leaf, right in trial.autodiff.items()
    }
    worst = max(shares.values())
    if worst <= 64 * 2.0**-24:
        words = (
            f"it is right but for a part of {worst:.0e}, which is about what float32 rounds; use "
            "float64 in all of it"
        )
        return Cause("low-precision", (EVERYWHERE,), words)
    bad = sorted(trial.bad(), key=lambda leaf: -int(leaf.split("/")[0])) or list(names)
    words = f"no formula explains it; begin with {bad[0]}, the first wrong leaf from the output"
    return Cause("unknown", (bad[0],), words)
