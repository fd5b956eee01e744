"""Mistakes that can be found without knowing the network: those of finished leaves.

Each is tried on every batch that was compared, and counts only if it explains all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manual_grads.check.diagnosis.causes import EVERYWHERE, Cause
from manual_grads.leaves import named_leaves

Leaves = Mapping[str, np.ndarray]


def causes(trials: Sequence[Any], params: Any) -> list[list[Cause]]:
    """The mistakes that the leaves show, if each wrong leaf shows one; else "unknown"."""
    first = trials[0]
    bad = [leaf for leaf in first.allowed if any(leaf in trial.bad() for trial in trials)]
    factors = {leaf: [_factor(trial, leaf) for trial in trials] for leaf in first.allowed}
    common = _common(trials, factors)
    if common is not None:
        return [[common]]
    singles = [trial for trial in trials if len(trial.batch[0]) == 1]
    if len(singles) > 1 and _are_equal([trial.handwritten for trial in singles]):
        if not _are_equal([trial.autodiff for trial in singles]):
            words = "it is the same for every example; keep nothing from earlier calls"
            return [[Cause("stale", (EVERYWHERE,), words)]]
    leak = _leak(first, bad)
    if leak is not None:
        return [[leak]]
    parameters = {name: np.asarray(leaf) for name, leaf in named_leaves(params).items()}
    shares = [trial.autodiff for trial in singles]
    shares = shares if len(shares) == len(first.batch[0]) else []
    found = []
    for leaf in bad:
        cause = _of_one(trials, leaf, parameters[leaf], factors[leaf]) or _counted(
            first, leaf, shares
        )
        if cause is None:
            words = f"no mistake that a leaf alone can show explains it; begin with {leaf}"
            return [[Cause("unknown", (leaf,), words)]]
        found.append(cause)
    return [found]


def _are_equal(each: Sequence[Leaves]) -> bool:
    return all(np.array_equal(one[leaf], each[0][leaf]) for one in each for leaf in one)


def _factor(trial: Any, leaf: str) -> float | None:
    """The factor c with M = c G, or None if there is none. A leaf that is 0 in both is 1 times."""
    m, g = trial.handwritten[leaf], trial.autodiff[leaf]
    size = float(np.sum(g * g))
    if size == 0:
        return None if np.any(m) else 1.0
    c = float(np.sum(m * g)) / size
    fits = np.all(np.abs(m - c * g) <= max(1.0, abs(c)) * trial.allowed[leaf])
    return c if fits and c != 0 else None


def _common(trials: Sequence[Any], factors: Mapping[str, Sequence[float | None]]) -> Cause | None:
    """The factor that all leaves have in common, in each batch."""
    each = list(zip(*factors.values(), strict=True))
    values = []
    for trial, found in zip(trials, each, strict=True):
        nonzero = [
            factor
            for factor, leaf in zip(found, factors, strict=True)
            if np.any(trial.autodiff[leaf])
        ]
        if not nonzero or None in nonzero or np.ptp(nonzero) > 1e-6 * abs(nonzero[0]):
            return None
        values.append(nonzero[0])
    return _named(trials, values, EVERYWHERE)


def _named(trials: Sequence[Any], factors: Sequence[float], where: str) -> Cause | None:
    """The cause of these factors; None if all are 1, or if they follow no rule."""
    sizes = [len(trial.batch[0]) for trial in trials]
    places = (where,)

    def all_are(of):
        return all(abs(k - of(n)) <= 1e-5 * abs(of(n)) for k, n in zip(factors, sizes, strict=True))

    first, n = factors[0], sizes[0]
    if all_are(lambda n: 1.0):
        return None
    if all_are(lambda n: -1.0):
        return Cause("sign", places, "the sign is wrong; change it")
    if all_are(lambda n: n):
        words = "it is summed over the batch, but the loss is a mean; divide by the batch size"
        return Cause("sum-not-mean", places, words)
    if all_are(lambda n: 1 / n):
        return Cause("averaged-twice", places, "it is divided by the batch size twice; divide once")
    if all_are(lambda n: first):
        words = f"it is multiplied by {first:.6g}; remove this factor"
        return Cause("factor", places, words)
    if all_are(lambda size: first * size / n):
        words = f"every batch is divided by {n / first:.6g}; divide by the actual batch size"
        return Cause("nominal-batch", places, words)
    return None


def _of_one(
    trials: Sequence[Any], leaf: str, theta: np.ndarray, factors: Sequence[float | None]
) -> Cause | None:
    """The cause that one leaf shows in every batch."""
    known = [factor for factor in factors if factor is not None]
    if len(known) == len(trials):
        return _named(trials, known, leaf)
    pairs = [(t.handwritten[leaf], t.autodiff[leaf], t.allowed[leaf].max()) for t in trials]
    if not any(np.any(m) for m, _, _ in pairs):
        return Cause("unwritten", (leaf,), "the leaf is zero everywhere; compute it")
    if all(np.array_equal(m, theta) for m, _, _ in pairs):
        words = "the leaf is the parameter itself; compute its derivative"
        return Cause("unwritten", (leaf,), words)
    if theta.ndim == 2 and all(
        np.all(np.abs(m - g.T.reshape(g.shape)) <= allowed) for m, g, allowed in pairs
    ):
        return Cause("transposed", (leaf,), "the leaf is transposed; transpose it back")
    size = max(float(np.sum(theta * theta)), 1e-300)
    rate = float(np.sum((pairs[0][0] - pairs[0][1]) * theta)) / size
    if all(np.all(np.abs(m - g - rate * theta) <= 2 * allowed) for m, g, allowed in pairs):
        words = f"{rate:.6g} times the parameter is added, unlike in the loss; remove this term"
        return Cause("regulariser", (leaf,), words)
    if all(
        np.all(np.abs(np.sort(m, axis=None) - np.sort(g, axis=None)) <= allowed)
        for m, g, allowed in pairs
    ):
        return Cause("permuted", (leaf,), "the entries are in a wrong order; reorder them")
    return None


def _counted(trial: Any, leaf: str, shares: Sequence[Leaves]) -> Cause | None:
    """The cause of a leaf in which some examples of the whole batch do not count exactly once."""
    if not shares:
        return None
    examples = len(shares)
    columns = np.stack([share[leaf].ravel() for share in shares], axis=1) / examples
    g, m = (side[leaf].ravel() for side in (trial.autodiff, trial.handwritten))
    allowed = examples * trial.allowed[leaf].max()
    if np.any(np.abs(columns.sum(axis=1) - g) > allowed):
        return None
    one, rest = np.eye(examples), 1 - np.eye(examples)
    odd = [*rest, *(rest + 2 * one), *one, *(examples * one)]
    for weights in [*odd, np.round(np.linalg.lstsq(columns, m)[0]) + 0.0]:
        if np.all(np.abs(columns @ weights - m) <= allowed):
            odd_ones = np.flatnonzero(weights != 1)
            counts = ", ".join(f"example {n} counts {weights[n]:g} times" for n in odd_ones)
            return Cause("overwritten", (leaf,), f"{counts}; count each example once")
    return None


def _leak(trial: Any, bad: Sequence[str]) -> Cause | None:
    """The cause of entries that are 0 because their values were added to one other entry."""
    errors = {leaf: trial.handwritten[leaf] - trial.autodiff[leaf] for leaf in bad}
    owners, slots = [], []
    for leaf, error in errors.items():
        for index in np.argwhere(np.abs(error) > trial.allowed[leaf]):
            place = (leaf, tuple(int(i) for i in index))
            zero = trial.handwritten[leaf][place[1]] == 0
            (owners if zero else slots).append(place)
    if len(slots) != 1 or not owners:
        return None
    total = sum(float(errors[leaf][index]) for leaf, index in [*owners, *slots])
    if abs(total) > sum(float(trial.allowed[leaf].max()) * 4 for leaf in bad):
        return None
    names = " and ".join(dict.fromkeys(leaf for leaf, _ in owners))
    leaf, index = slots[0]
    words = (
        f"the derivatives of {names} are added to {list(index)} of {leaf}; add each to its own "
        "entry"
    )
    return Cause("leaked-slot", (leaf,), words)
