"""Mistakes that show only in several calls: sums that are kept, random numbers, stale values."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from manual_grads.check.diagnosis.causes import EVERYWHERE, Cause
from manual_grads.check.formulas import Problem

Leaves = Mapping[str, np.ndarray]


def not_repeating(call: Callable[[], Leaves], right: Leaves) -> Cause:
    """The cause of a gradient that is another one when it is called again on the same batch."""
    first, second, third = call(), call(), call()
    steps = [{leaf: b[leaf] - a[leaf] for leaf in a} for a, b in ((first, second), (second, third))]
    moving = [leaf for leaf in first if np.any(steps[0][leaf]) or np.any(steps[1][leaf])]
    places = tuple(moving) if 0 < len(moving) < len(first) else (EVERYWHERE,)

    def close(one, other):
        size = max(np.abs(one).max(initial=0.0), np.abs(other).max(initial=0.0))
        return np.max(np.abs(one - other), initial=0.0) <= 1e-6 * size

    if moving and all(close(steps[0][leaf], steps[1][leaf]) for leaf in moving):
        added = "the gradient" if all(close(steps[0][o], right[o]) for o in moving) else "the same"
        return Cause(
            "not-cleared",
            places,
            f"each further call with the same arguments adds {added} to what it returned before; "
            "set all sums to zero at the start of each call",
            "sum over the calls",
            "the gradient of this call",
        )
    if not moving:
        return Cause(
            "not-cleared",
            (EVERYWHERE,),
            "what it returns depends on earlier calls with other arguments; keep nothing between "
            "calls",
        )
    ratios = {_ratio(steps[1][leaf], steps[0][leaf]) for leaf in moving}
    if None not in ratios and len({f"{ratio:.4g}" for ratio in ratios}) == 1:
        ratio = next(iter(ratios))
        return Cause(
            "not-cleared",
            places,
            f"each call returns {ratio:.4g} times what it returned before, plus the gradient, as "
            "with momentum; return the gradient alone",
            f"{ratio:.4g} · (earlier result) + gradient",
            "the gradient of this call",
        )
    return Cause(
        "not-repeating",
        places,
        "calls with the same arguments return different gradients that are no sums; if the code "
        "draws random numbers, as for dropout, switch them off, and keep nothing between calls",
    )


def _ratio(one: np.ndarray, other: np.ndarray) -> float | None:
    size = float(np.sum(other * other))
    if size == 0:
        return None
    k = float(np.sum(one * other)) / size
    return k if np.max(np.abs(one - k * other)) <= 1e-6 * np.abs(other).max() else None


def stale(measured: Sequence[Any], problem: Problem) -> Cause | None:
    """The cause of values that stay those of an earlier call, if there are any.

    The rows of a weight derivative are the activations. If they are the same for all examples, they
    are not those of each example.
    """
    one = measured[0]
    if len(one.singles) < 3 or np.ptp(one.images, axis=0).max() == 0:
        return None
    for layer in range(1, problem.network.depth + 1):
        rows = []
        for single in one.singles:
            leaf = single["weight", layer]
            i, j = np.unravel_index(int(np.argmax(np.abs(leaf))), leaf.shape)
            if leaf[i, j] == 0 or leaf.shape[1] < 3:
                break
            rows.append(leaf[i] / leaf[i, j])
        if len(rows) == len(one.singles) and np.ptp(np.stack(rows), axis=0).max() < 1e-9:
            if np.ptp(rows[0]) < 1e-9:
                continue  # every entry is 1: a formula without the activations
            return Cause(
                "stale",
                (EVERYWHERE,),
                f"a^{layer - 1} is the same in all calls, though the images differ; compute it "
                "anew in each call",
                f"∂C/∂W of layer {layer} with a kept from an earlier call",
                f"∂C/∂W of layer {layer} with the a of this call",
            )
    return None
