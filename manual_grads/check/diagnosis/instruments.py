"""Mistakes that can be found without knowing the network, such as wrong signs and factors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manual_grads.check.diagnosis.mistakes import Diagnosis
from manual_grads.derivatives import PRECISIONS

Leaves = Mapping[str, np.ndarray]
ROUNDINGS = 4096
"""The assumed number of successive roundings in the gradient of an unknown network."""


def allowed(autodiff: np.ndarray, precision: str) -> np.ndarray:
    """The allowed difference if the network is unknown: the same for all entries of a leaf."""
    u, eta = PRECISIONS[precision]
    return np.full(autodiff.shape, ROUNDINGS * (u * np.abs(autodiff).max(initial=0.0) + eta))


def not_cleared() -> Diagnosis:
    """The diagnosis of a gradient that changes when it is called again with equal arguments."""
    return Diagnosis(
        "not-cleared",
        "every leaf",
        "a second call with the same arguments returns another gradient; if the code keeps sums "
        "between calls, set them to zero at the start of each call",
    )


def of_the_whole(trials: Sequence[Any]) -> Diagnosis | None:
    """A mistake that changes the whole finished gradient, if it explains every batch."""
    first = trials[0]
    if not first.bad():
        return _nominal_batch(trials)
    return _clipped_by_norm(trials) or _low_precision(first)


def _norm(leaves: Leaves) -> float:
    return float(np.sqrt(sum(np.sum(leaf**2) for leaf in leaves.values())))


def _times(trial: Any, factor: float) -> bool:
    """Whether the handwritten gradient is the correct one times `factor`."""
    return all(
        np.all(
            np.abs(trial.handwritten[leaf] - factor * trial.autodiff[leaf])
            <= max(1.0, abs(factor)) * trial.allowed[leaf]
        )
        for leaf in trial.allowed
    )


def _nominal_batch(trials: Sequence[Any]) -> Diagnosis | None:
    """The mistake of dividing smaller batches by the size of the whole batch."""
    whole = len(trials[0].batch[0])
    if all(_times(trial, len(trial.batch[0]) / whole) for trial in trials):
        return Diagnosis(
            "nominal-batch",
            "every leaf",
            f"smaller batches are divided by {whole} too; divide by the actual batch size",
        )
    return None


def _clipped_by_norm(trials: Sequence[Any]) -> Diagnosis | None:
    limit = _norm(trials[0].handwritten)
    if (
        not 0 < limit < _norm(trials[0].autodiff)
        or abs(limit - float(f"{limit:.3g}")) > 1e-6 * limit
    ):
        return None
    if all(_times(trial, min(1.0, limit / _norm(trial.autodiff))) for trial in trials):
        return Diagnosis(
            "clipped",
            "every leaf",
            f"the gradient is clipped to norm {limit:.3g}; clip only in the optimiser",
        )
    return None


LOW_PRECISIONS = {"bfloat16": (8, 2.0**-8), "float16": (11, 2.0**-11)}
"""The number of significant bits and the unit roundoff of each type."""


def _low_precision(trial: Any) -> Diagnosis | None:
    for name, (bits, u) in LOW_PRECISIONS.items():
        mantissas = [np.frexp(leaf)[0] * 2**bits for leaf in trial.handwritten.values()]
        if not all(np.array_equal(mantissa, np.round(mantissa)) for mantissa in mantissas):
            continue
        close = all(
            np.abs(trial.handwritten[leaf] - right).max() <= 64 * u * np.abs(right).max()
            for leaf, right in trial.autodiff.items()
        )
        if close:
            return Diagnosis(
                "low-precision",
                "every leaf",
                f"all values are rounded to {name}; compute in float32 or float64",
            )
    return None


def as_float32(trial: Any) -> Diagnosis | None:
    """The diagnosis of float64 values that are only as accurate as float32."""
    u = PRECISIONS["float32"].u
    for leaf, right in trial.autodiff.items():
        if np.abs(trial.handwritten[leaf] - right).max() > 64 * u * np.abs(right).max():
            return None
    return Diagnosis(
        "low-precision",
        "every leaf",
        "it is float64, but only as accurate as float32; use one precision for all of it",
    )


def of_the_leaves(trials: Sequence[Any], params: Leaves) -> list[list[Diagnosis]]:
    """The mistakes that single leaves show, if each wrong leaf shows one; else an empty list.

    The first trial is the whole batch; the later ones include the single examples.
    """
    trial = trials[0]
    examples = len(trial.batch[0])
    singles = [single.autodiff for single in trials if len(single.batch[0]) == 1]
    shares = singles if len(singles) == examples else []
    bad = trial.bad()
    factors = {leaf: _factor(trial, leaf) for leaf in trial.allowed}
    same = {f"{factor:.6g}" for factor in factors.values() if factor is not None}
    if None not in factors.values() and len(same) == 1:
        return [[_named_factor(float(next(iter(same))), examples, "every leaf")]]
    leak = _leak(trial, bad)
    if leak is not None:
        return [[leak]]
    each = [
        _of_one(trial, leaf, params[leaf], factors[leaf], examples) or _counted(trial, leaf, shares)
        for leaf in bad
    ]
    if any(diagnosis is None for diagnosis in each):
        return []
    return [[diagnosis for diagnosis in each if diagnosis is not None]]


def _factor(trial: Any, leaf: str) -> float | None:
    """The factor c with M = c G, or None if there is none."""
    m, g = trial.handwritten[leaf], trial.autodiff[leaf]
    size = float(np.sum(g * g))
    if size == 0:
        return None
    c = float(np.sum(m * g)) / size
    fits = np.all(np.abs(m - c * g) <= max(1.0, abs(c)) * trial.allowed[leaf])
    return c if fits and c != 0 else None


def _named_factor(c: float, examples: int, where: str) -> Diagnosis:
    if abs(c + 1) < 1e-5:
        return Diagnosis("sign", where, "the sign is wrong; change it")
    if abs(c - examples) < 1e-5 * examples:
        return Diagnosis(
            "sum-not-mean",
            where,
            "it is summed over the batch, but the loss is a mean; divide by the batch size",
        )
    if abs(c - 1 / examples) < 1e-5:
        words = "it is divided by the batch size twice; divide once"
        return Diagnosis("averaged-twice", where, words)
    return Diagnosis("factor", where, f"it is multiplied by {c:.6g}; remove this factor")


def _of_one(
    trial: Any, leaf: str, theta: np.ndarray, factor: float | None, examples: int
) -> Diagnosis | None:
    m, g, allowed = trial.handwritten[leaf], trial.autodiff[leaf], trial.allowed[leaf]
    if factor is not None:
        return _named_factor(factor, examples, leaf)
    if not np.any(m):
        return Diagnosis("unwritten", leaf, "the leaf is zero everywhere; compute it")
    if np.array_equal(m, theta):
        words = "the leaf is the parameter itself; compute its derivative"
        return Diagnosis("unwritten", leaf, words)
    if g.ndim == 2 and np.all(np.abs(m - g.T.reshape(g.shape)) <= allowed.max()):
        return Diagnosis("transposed", leaf, "the leaf is transposed; transpose it back")
    rate = float(np.sum((m - g) * theta)) / max(float(np.sum(theta * theta)), 1e-300)
    if np.all(np.abs(m - g - rate * theta) <= allowed.max()):
        words = f"{rate:.6g} times the parameter is added, unlike in the loss; remove this term"
        return Diagnosis("regulariser", leaf, words)
    if np.all(np.abs(np.sort(m, axis=None) - np.sort(g, axis=None)) <= allowed.max()):
        return Diagnosis("permuted", leaf, "the entries are in a wrong order; reorder them")
    return None


def _counted(trial: Any, leaf: str, shares: Sequence[Leaves]) -> Diagnosis | None:
    """The diagnosis of a leaf in which some examples do not count exactly once.

    It tries one miscounted example, as in `miscounted`, and then least squares, rounded.
    """
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
            return Diagnosis("overwritten", leaf, f"{counts}; count each example once")
    return None


def _leak(trial: Any, bad: Sequence[str]) -> Diagnosis | None:
    """The diagnosis of entries that are 0 because their values were added to one other entry."""
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
    return Diagnosis(
        "leaked-slot",
        leaf,
        f"the derivatives of {names} are added to {list(index)} of {leaf}; add each to its own "
        "entry",
    )
