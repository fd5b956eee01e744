"""Mistakes that a finished gradient shows, also without knowing the network; and "unknown"."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manual_grads.check.diagnosis.batches import Counted, counted, placed, said_of
from manual_grads.check.diagnosis.causes import EVERYWHERE, Cause, causes_of
from manual_grads.check.diagnosis.measured import Batch
from manual_grads.check.formulas import factor_between
from manual_grads.check.lines import Answer, Leaf, finished_line
from manual_grads.leaves import named_leaves

Leaves = Mapping[str, np.ndarray]
LOW_PRECISIONS = {"bfloat16": (8, 2.0**-8), "float16": (11, 2.0**-11)}
"""The number of significant bits and the unit roundoff of each type."""


def of_the_whole(trials: Sequence[Any]) -> Cause | None:
    """A mistake that changes the whole finished gradient, if it explains every batch."""
    return _clipped_by_norm(trials) or _low_precision(trials[0]) or _leaked(trials[0])


def _norm(leaves: Leaves) -> float:
    return float(np.sqrt(sum(np.sum(leaf**2) for leaf in leaves.values())))


def _clipped_by_norm(trials: Sequence[Any]) -> Cause | None:
    limit = _norm(trials[0].handwritten)
    is_round = abs(limit - float(f"{limit:.3g}")) <= 1e-6 * limit
    if not 0 < limit < _norm(trials[0].autodiff) or not is_round:
        return None
    for trial in trials:
        k = min(1.0, limit / (_norm(trial.autodiff) or limit))
        for leaf, right in trial.autodiff.items():
            if np.any(np.abs(trial.handwritten[leaf] - k * right) > trial.allowed[leaf]):
                return None
    words = f"the gradient is clipped to norm {limit:.3g}; clip only in the optimiser"
    yours = f"gradient · min(1, {limit:.3g}/‖gradient‖)"
    return Cause("clipped", (EVERYWHERE,), words, yours, "gradient")


def _low_precision(trial: Any) -> Cause | None:
    for name, (bits, u) in LOW_PRECISIONS.items():
        if all(
            np.array_equal(np.ldexp(mantissa, bits), np.round(np.ldexp(mantissa, bits)))
            and np.abs(trial.handwritten[leaf] - right).max() <= 64 * u * np.abs(right).max()
            for leaf, right in trial.autodiff.items()
            for mantissa in [np.frexp(trial.handwritten[leaf])[0]]
        ):
            words = f"all values are rounded to {name}; compute in float32 or float64"
            return Cause("low-precision", (EVERYWHERE,), words)
    return None


def _leaked(trial: Any) -> Cause | None:
    """The cause of entries that are 0 because their values were added to one other entry."""
    owners, slots, total = [], [], 0.0
    for leaf in trial.bad():
        error = trial.handwritten[leaf] - trial.autodiff[leaf]
        for index in map(tuple, np.argwhere(np.abs(error) > trial.allowed[leaf])):
            (slots if trial.handwritten[leaf][index] else owners).append((leaf, [*map(int, index)]))
            total += float(error[index])
    allowed = 4 * sum(trial.allowed[leaf].max() for leaf in trial.bad())
    names = [*dict.fromkeys(name for name, _ in owners)]
    if len(slots) != 1 or not {*names} - {slots[0][0]} or abs(total) > allowed:
        return None
    leaf, slot = slots[0][0], ", ".join(map(str, slots[0][1]))
    words = (
        f"the derivatives of {' and '.join(names)} are added to slot {slot} of {leaf}, perhaps "
        "because an index is used after its loop; add each to its own slot"
    )
    return Cause("leaked-slot", (leaf,), words)


def unexplained(trials: Sequence[Any]) -> Cause:
    """The answer if nothing explains the gradient: nearly right, or unknown."""
    trial = next((one for one in trials if one.bad()), trials[0])
    shares = {
        leaf: float(np.abs(trial.handwritten[leaf] - right).max() / (np.abs(right).max() or np.inf))
        for leaf, right in trial.autodiff.items()
    }
    worst = max(shares.values())
    if worst <= 64 * 2.0**-24:
        words = f"it is right but for a part of {worst:.0e}, which is about what float32 rounds; "
        return Cause("low-precision", (EVERYWHERE,), words + "use float64 in all of it")
    bad = sorted(trial.bad(), key=lambda leaf: leaf.split("/")[0], reverse=True) or [*shares]
    words = f"no formula explains it; begin with {bad[0]}, the first wrong leaf from the output"
    return Cause("unknown", (bad[0],), words)


def without_network(trials: Sequence[Any], params: Any) -> list[list[Cause]]:
    """The mistakes that the leaves show, if each wrong leaf shows one in all trials; else unknown.

    Each leaf of every trial is made of the right one, or some examples do not count once.
    """
    theta = {name: np.asarray(leaf) for name, leaf in named_leaves(params).items()}
    bad = [leaf for leaf in theta if any(leaf in trial.bad() for trial in trials)]
    singles = [trial for trial in trials if len(trial.batch[0]) == 1]
    first, *others = singles or trials[:1]
    if any(np.any(one.autodiff[bad[0]] - first.autodiff[bad[0]]) for one in others) and all(
        np.array_equal(one.handwritten[leaf], first.handwritten[leaf])
        for one in others
        for leaf in theta
    ):
        words = "it is the same for every example; keep nothing from earlier calls"
        return [[Cause("stale", (EVERYWHERE,), words)]]
    groups: dict[Answer, list[Leaf]] = {}
    for leaf in bad:
        said = _line(trials, leaf, theta[leaf]) or _counts(trials, singles, leaf, theta[leaf])
        if said is None:
            return [[unexplained(trials)]]
        groups.setdefault(said, []).append((leaf, 0))
    loud = [(leaf, 0) for leaf in theta if np.any(trials[0].autodiff[leaf])]
    return [causes_of([one for said, where in groups.items() for one in placed(said, where, loud)])]


def _line(trials: Sequence[Any], leaf: str, theta: np.ndarray) -> Answer | None:
    """What all trials show of a leaf: what it is made of, or a factor that depends on the batch."""
    pairs = [(trial.autodiff[leaf], trial.handwritten[leaf]) for trial in trials]
    right, seen = (np.stack(side, axis=-1) for side in zip(*pairs, strict=True))
    repeated = np.stack([theta] * len(trials), axis=-1)
    found = finished_line(right, seen, repeated, leaf, {}, 1e-9)
    if found is not None:
        return Answer("batch", 0, "", "", found.name, found.words)
    factors = [factor_between(b, a, 1e-9) for a, b in pairs if np.any(a) or np.any(b)]
    sizes = [len(trial.batch[0]) for trial in trials]
    if None in factors or len(factors) < len(pairs):
        return None
    each = [Counted(np.full(n, k)) for n, k in zip(sizes, factors, strict=True)]
    return said_of([*zip(sizes, each, strict=True)], is_mean=True)


def _counts(
    trials: Sequence[Any], singles: Sequence[Any], leaf: str, theta: np.ndarray
) -> Answer | None:
    """What is said of a leaf in which some examples of the whole batch do not count once."""
    n, key = len(trials[0].batch[0]), ("", 0)
    each = [{key: one.autodiff[leaf]} for one in singles]
    whole, rows = {key: trials[0].handwritten[leaf]}, trials[0].batch[0]
    batch = Batch([{"": theta}], rows, rows, whole, each, each, {}, 1 / n, 1e-9)
    found = counted(batch, key) if len(singles) == n else None
    return (
        None if found is None or np.ptp(found.weights) == 0 else said_of([(n, found)], is_mean=True)
    )
