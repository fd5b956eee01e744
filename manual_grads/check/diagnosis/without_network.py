"""Tests that need no network, and the cause "unknown"."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from manual_grads.check.diagnosis.batches import placed
from manual_grads.check.diagnosis.causes import EVERYWHERE, Cause, place
from manual_grads.check.diagnosis.measured import Measured, Named
from manual_grads.check.formulas import Array
from manual_grads.check.lines import Answer, Leaf, finished_line


def of_the_whole(trials: Sequence[Any]) -> Cause | None:
    """The cause if a right gradient was clipped or rounded, or entries were moved; else None."""
    return _clipped_by_norm(trials) or _low_precision(trials[0]) or _leaked(trials[0])


def _norm(leaves: Named) -> float:
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
    for name in ("bfloat16", "float16"):
        if all(
            np.array_equal(yours.astype(name).astype(float), yours)
            and np.abs(yours - right).max() <= np.abs(right).max() / 4
            for leaf, right in trial.autodiff.items()
            for yours in [trial.handwritten[leaf]]
        ):
            words = f"all values are rounded to {name}; compute in float32 or float64"
            return Cause("low-precision", (EVERYWHERE,), words)
    return None


def _leaked(trial: Any) -> Cause | None:
    """The cause if some entries are 0 and their values were added to one other entry; else None."""
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
        f"the derivatives of {' and '.join(names)} are added to entry {slot} of {leaf}, perhaps "
        "because an index is used after its loop; add each to its own entry"
    )
    return Cause("leaked-slot", (leaf,), words)


def unexplained(trials: Sequence[Any]) -> Cause:
    """The cause "unknown", for a gradient that nothing explains."""
    trial = next((one for one in trials if one.bad()), trials[0])
    wrong = trial.bad() or [*trial.allowed]
    first = max(wrong, key=lambda leaf: leaf.split("/")[0])
    words = f"no formula explains it; begin with {first}, the wrong leaf nearest to the output"
    return Cause("unknown", (first,), words)


def of_leaves(
    leaves: Mapping[Leaf, Sequence[Array]],
    rights: Sequence[Mapping[Leaf, Array]],
    theta: Mapping[Leaf, Array],
    tolerance: float,
) -> tuple[Answer, ...]:
    """The answers for the wrong leaves of single examples, if the network is unknown."""
    groups: dict[Answer, list[Leaf]] = {}
    for leaf, each in leaves.items():
        seen, right = np.stack(each, axis=-1), np.stack([one[leaf] for one in rights], axis=-1)
        size = max(np.abs(seen).max(initial=0.0), np.abs(right).max(initial=0.0))
        if np.max(np.abs(seen - right), initial=0.0) <= tolerance * size:
            continue
        repeated = np.stack([theta[leaf]] * len(each), axis=-1)
        found = finished_line(right, seen, repeated, leaf[0], tolerance)
        said = Answer("batch", 0, "", "", "unknown", "nothing explains it")
        if found is not None:
            k = float(f"{found.factor:.9g}")  # rounded, so that k is equal in all leaves
            said = said._replace(
                name=found.name, words=found.words or f"it is {found.text}", number=k
            )
        groups.setdefault(said, []).append(leaf)
    loud = [leaf for leaf in leaves if any(np.any(one[leaf]) for one in rights)]
    return tuple(one for said, where in groups.items() for one in placed(said, where, loud))


def not_repeating(call: Callable[[], Named]) -> Cause:
    """The cause if a second call on the same batch returns another gradient."""
    first, second, third = call(), call(), call()
    moving = [leaf for leaf in first if np.any(second[leaf] - first[leaf])]
    places = tuple(moving) if 0 < len(moving) < len(first) else (EVERYWHERE,)
    pairs = [(second[leaf] - first[leaf], third[leaf] - second[leaf]) for leaf in moving]
    if all(np.allclose(later, step, 1e-6, 1e-6 * np.abs(step).max()) for step, later in pairs):
        words = "it contains earlier gradients; set all sums to zero at the start of each"
        yours, right = "sum over the calls", "the gradient of this call"
        return Cause("not-cleared", places, f"{words} call", yours, right)
    words = (
        "calls with the same arguments return different gradients; switch off random numbers, "
        "such as those of dropout, and keep no values from one call to the next"
    )
    return Cause("not-repeating", places, words)


def stale(one: Measured) -> Cause | None:
    """The cause if the code reuses values of an earlier call; else None.

    Each row of a weight derivative is a multiple of the example's activations. If the rows of all
    examples are proportional to each other, the activations are stale.
    """
    if len(one.singles) < 3 or np.all(one.batch[0] == one.batch[0][:1]):
        return None
    for leaf, like in one.singles[0].items():
        if like.ndim != 2:
            continue
        each = np.stack([single[leaf] for single in one.singles])
        rows = each[np.arange(len(each)), np.abs(each).max(axis=2).argmax(axis=1)]
        largest = rows[np.arange(len(each)), np.abs(rows).argmax(axis=1)][:, None]
        if not np.all(largest) or rows.shape[1] < 3:
            continue
        rows = rows / largest
        # if every entry is 1, the formula has no activations
        if np.ptp(rows, axis=0).max() < 1e-9 <= np.ptp(rows[0]):
            words = f"the activation in the formula of {place(*leaf)} is the same for all examples"
            return Cause("stale", (EVERYWHERE,), f"{words}; compute it in each call")
    return None
