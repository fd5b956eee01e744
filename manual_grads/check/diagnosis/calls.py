"""Mistakes that show only in several calls: sums that are kept, random numbers, stale values."""

from collections.abc import Callable, Mapping

import numpy as np

from manual_grads.check.diagnosis.causes import EVERYWHERE, Cause
from manual_grads.check.diagnosis.measured import Measured
from manual_grads.check.formulas import Problem, factor_between

Leaves = Mapping[str, np.ndarray]


def not_repeating(call: Callable[[], Leaves], right: Leaves) -> Cause:
    """The cause of a gradient that is another one when it is called again on the same batch."""
    first, second, third = call(), call(), call()
    steps = {leaf: (second[leaf] - first[leaf], third[leaf] - second[leaf]) for leaf in first}
    moving = {leaf: step for leaf, step in steps.items() if np.any(step)}
    places = tuple(moving) if len(moving) < len(first) else (EVERYWHERE,)
    if not moving:
        words = "what it returns depends on earlier calls with other arguments; keep nothing "
        return Cause("not-cleared", (EVERYWHERE,), words + "between calls")
    ratios = [factor_between(later, step, 1e-6) for step, later in moving.values()]
    ratio = ratios[0]
    if ratio is None or any(k is None or abs(k - ratio) > 1e-4 * abs(ratio) for k in ratios):
        words = (
            "calls with the same arguments return different gradients that are no sums; if the "
            "code draws random numbers, as for dropout, switch them off, and keep nothing between "
            "calls"
        )
        return Cause("not-repeating", places, words)
    if abs(ratio - 1) < 1e-4:
        is_own = all(np.allclose(moving[k][0], right[k], 1e-6, 1e-6 * np.abs(right[k]).max())
                     for k in moving)  # fmt: skip
        added = "the gradient" if is_own else "the same"
        words = (
            f"each further call with the same arguments adds {added} to what it returned before; "
            "set all sums to zero at the start of each call"
        )
        return Cause(
            "not-cleared", places, words, "sum over the calls", "the gradient of this call"
        )
    words = (
        f"each call returns {ratio:.4g} times what it returned before, plus the gradient, as with "
        "momentum; return the gradient alone"
    )
    yours = f"{ratio:.4g} · (earlier result) + gradient"
    return Cause("not-cleared", places, words, yours, "the gradient of this call")


def stale(one: Measured, problem: Problem) -> Cause | None:
    """The cause of values that stay those of an earlier call, if there are any.

    The rows of a weight derivative are the activations. If they are the same for all examples, they
    are not those of each example.
    """
    if len(one.singles) < 3 or np.ptp(one.images, axis=0).max() == 0:
        return None
    for layer in range(1, problem.network.depth + 1):
        each = np.stack([single["weight", layer] for single in one.singles])
        rows = each[np.arange(len(each)), np.abs(each).max(axis=2).argmax(axis=1)]
        largest = rows[np.arange(len(each)), np.abs(rows).argmax(axis=1)][:, None]
        rows = rows / largest
        if not np.all(largest) or rows.shape[1] < 3 or np.ptp(rows, axis=0).max() >= 1e-9:
            continue
        if np.ptp(rows[0]) >= 1e-9:  # else every entry is 1: a formula without the activations
            words = f"a^{layer - 1} is the same in all calls, though the images differ; compute it "
            return Cause(
                "stale", (EVERYWHERE,), words + "anew in each call",
                f"∂C/∂W of layer {layer} with a kept from an earlier call",
                f"∂C/∂W of layer {layer} with the a of this call",
            )  # fmt: skip
    return None
