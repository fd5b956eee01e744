"""Mistakes that a finished gradient shows, also without knowing the network; and "unknown"."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manual_grads.check.diagnosis.batches import Batch, counted
from manual_grads.check.diagnosis.causes import EVERYWHERE, Cause
from manual_grads.check.formulas import factor_between
from manual_grads.check.lines import leaf_line
from manual_grads.leaves import named_leaves

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


def unexplained(trials: Sequence[Any]) -> Cause:
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
    bad = sorted(trial.bad(), key=lambda leaf: leaf.split("/")[0], reverse=True) or [*shares]
    words = f"no formula explains it; begin with {bad[0]}, the first wrong leaf from the output"
    return Cause("unknown", (bad[0],), words)


def without_network(trials: Sequence[Any], params: Any) -> list[list[Cause]]:
    """The mistakes that the leaves show, if each wrong leaf shows one in all trials; else unknown.

    Each leaf of every trial is a factor times the right one, or made of it as in `leaf_line`.
    """
    theta = {name: np.asarray(leaf) for name, leaf in named_leaves(params).items()}
    bad = [leaf for leaf in theta if any(leaf in trial.bad() for trial in trials)]
    factors = {leaf: [_factor(trial, leaf) for trial in trials] for leaf in theta}
    known = {leaf: each for leaf, each in factors.items() if None not in each}
    if len(known) == len(theta) and len({f"{each}" for each in map(_rounded, known.values())}) == 1:
        cause = _of_factors(trials, next(iter(known.values())), EVERYWHERE)
        return [[cause]] if cause is not None else [[unexplained(trials)]]
    leak = _leaked(trials[0], bad)
    if leak is not None:
        return [[leak]]
    singles = [trial for trial in trials if len(trial.batch[0]) == 1]
    alike = all(np.array_equal(one.handwritten[leaf], singles[0].handwritten[leaf])
                for one in singles for leaf in theta)  # fmt: skip
    if (
        len(singles) > 1
        and alike
        and np.any(singles[0].autodiff[bad[0]] - singles[1].autodiff[bad[0]])
    ):
        words = "it is the same for every example; keep nothing from earlier calls"
        return [[Cause("stale", (EVERYWHERE,), words)]]
    causes = []
    for leaf in bad:
        cause = _of_factors(trials, known[leaf], leaf) if leaf in known else None
        right, seen = ([side[leaf] for side in each] for each in zip(
            *((t.autodiff, t.handwritten) for t in trials), strict=True))  # fmt: skip
        found = cause or leaf_line(right, seen, [theta[leaf]] * len(trials), leaf, {}, 1e-9)
        if found is None and right[0].ndim < 3:
            found = _sorted_alike(right, seen, leaf)
        found = found or _counts(trials, singles, leaf, theta[leaf])
        if found is None:
            return [[unexplained(trials)]]
        cause = found if isinstance(found, Cause) else Cause(found.name, (leaf,), found.words)
        causes.append(cause)
    return [causes]


def _rounded(each: Sequence[float | None]) -> list[str]:
    return [f"{k:.6g}" for k in each if k is not None]


def _factor(trial: Any, leaf: str) -> float | None:
    """The factor between both gradients of a leaf; 1 if both are 0."""
    m, g = trial.handwritten[leaf], trial.autodiff[leaf]
    if not np.any(g):
        return None if np.any(m) else 1.0
    return factor_between(m, g, 1e-9)


def _of_factors(trials: Sequence[Any], factors: Sequence[Any], where: str) -> Cause | None:
    """The cause of these factors of the batches, if they follow a rule."""
    sizes = [len(trial.batch[0]) for trial in trials]
    first, n = factors[0], sizes[0]
    for name, of, words in (
        ("sign", lambda _: -1.0, "the sign is wrong; change it"),
        ("sum-not-mean", lambda n: n, "it is summed over the batch, but the loss is a mean; divide "
         "by the batch size"),
        ("averaged-twice", lambda n: 1 / n, "it is divided by the batch size twice; divide once"),
        ("factor", lambda _: first, f"it is multiplied by {first:.6g}; remove this factor"),
        ("nominal-batch", lambda size: first * size / n, f"every batch is divided by "
         f"{n / first:.6g}; divide by the actual batch size"),
    ):  # fmt: skip
        if all(
            abs(k - of(size)) <= 1e-5 * abs(of(size))
            for k, size in zip(factors, sizes, strict=True)
        ):
            return Cause(name, (where,), words)
    return None


def _sorted_alike(right: Sequence[Any], seen: Sequence[Any], leaf: str) -> Cause | None:
    if all(
        np.allclose(np.sort(a, None), np.sort(b, None), 1e-9)
        for a, b in zip(right, seen, strict=True)
    ):
        return Cause("permuted", (leaf,), "the entries are in a wrong order; reorder them")
    return None


def _counts(trials: Sequence[Any], singles: Sequence[Any], leaf: str, theta: Any) -> Cause | None:
    """The cause of a leaf in which some examples of the whole batch do not count once."""
    n, key = len(trials[0].batch[0]), ("", 0)
    if len(singles) != n:
        return None
    each = [{key: one.autodiff[leaf]} for one in singles]
    batch = Batch(
        [{"": theta}], trials[0].batch[0], theta, {key: trials[0].handwritten[leaf]}, each
    )
    found = counted(batch, key, 1 / n, 1e-9)
    if found is None or found.decay or found.reduced:
        return None
    odd = [
        f"example {k} counts {w:g} times"
        for k, w in enumerate(np.round(found.weights, 6))
        if w != 1
    ]
    return (
        Cause("overwritten", (leaf,), f"{', '.join(odd)}; count each example once") if odd else None
    )


def _leaked(trial: Any, bad: Sequence[str]) -> Cause | None:
    """The cause of entries that are 0 because their values were added to one other entry."""
    owners, slots, total = [], [], 0.0
    for leaf in bad:
        error = trial.handwritten[leaf] - trial.autodiff[leaf]
        for index in map(tuple, np.argwhere(np.abs(error) > trial.allowed[leaf])):
            (slots if trial.handwritten[leaf][index] else owners).append((leaf, [*map(int, index)]))
            total += float(error[index])
    if len(slots) != 1 or not owners or abs(total) > 4 * sum(trial.allowed[k].max() for k in bad):
        return None
    (leaf, index), names = slots[0], " and ".join(dict.fromkeys(name for name, _ in owners))
    words = f"the derivatives of {names} are added to {index} of {leaf}; add each to its own entry"
    return Cause("leaked-slot", (leaf,), words)
