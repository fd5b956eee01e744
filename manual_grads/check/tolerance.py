"""The largest difference between two right gradients that rounding can explain.

For the losses that `mnist_jax` trains with, it is the rounding bound of `derivatives`. For any
other loss of a known network, errors are propagated, with the sizes of terms for their values:

    S_δL = 1 + |a^L|      S_δ = |W|ᵀ S_δ'      E_δ = |W|ᵀ E_δ' + c S_δ + [z is near a kink] S_δ
    allowed = E_δ |a|ᵀ + c S_δ |a|ᵀ + R u max |G|

where c is 8 u times the longest sum. A kink is the z = 0 of a ReLU. S does not become 0 where all
units are dead, so that a right gradient made of rounding errors alone is allowed.
"""

from typing import Any

import jax
import numpy as np

from manual_grads.check.formulas import Problem, scene_of, targets_of
from manual_grads.derivatives import PRECISIONS, gradient_bound
from manual_grads.leaves import named_leaves

Leaves = dict[str, np.ndarray]
ROUNDINGS = 4096
"""The assumed number of successive roundings in the gradient of an unknown network (R)."""

_TARGETS = jax.jit(targets_of, static_argnums=0)
_BOUND = jax.jit(gradient_bound, static_argnums=0, static_argnames="precision")


def allowed_difference(
    problem: Problem | None,
    is_own_loss: bool,
    params: Any,
    batch: tuple,
    autodiff: Leaves,
    precision: str,
) -> Leaves:
    """The allowed difference of each entry, for a handwritten gradient in `precision`."""
    if problem is None:
        return {leaf: relative(value, precision) for leaf, value in autodiff.items()}
    if is_own_loss or not problem.is_trained:
        return _propagated(problem, params, batch, autodiff, precision)
    images, labels = batch
    rows = _TARGETS(problem, labels)
    factor = problem.factor(len(images)) * len(images)
    total = {leaf: np.zeros_like(value) for leaf, value in autodiff.items()}
    for name in (precision, "float64"):
        bound = named_leaves(_BOUND(problem.network, params, images, rows, precision=name))
        for leaf, value in bound.items():
            total[leaf] = total[leaf] + factor * np.asarray(value)
    if problem.l2:
        u = PRECISIONS[precision].u
        for leaf, theta in named_leaves(params).items():
            if leaf.endswith("weight"):
                sizes = np.abs(autodiff[leaf]) + problem.l2 * np.abs(theta)
                total[leaf] = total[leaf] + 4 * u * sizes
    return total


def relative(autodiff: np.ndarray, precision: str) -> np.ndarray:
    """The allowed difference if the network is unknown: the same for all entries of a leaf."""
    u, eta = PRECISIONS[precision]
    return np.full(autodiff.shape, ROUNDINGS * (u * np.abs(autodiff).max(initial=0.0) + eta))


def _propagated(
    problem: Problem, params: Any, batch: tuple, autodiff: Leaves, precision: str
) -> Leaves:
    u = PRECISIONS[precision].u
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    images = np.asarray(batch[0], np.float64)
    rows = np.zeros((len(images), problem.network.layer_sizes[-1]))
    s = scene_of(problem, [wide], [(images, rows)])
    c = 8 * u * max(*problem.network.layer_sizes, len(images))
    steepest = max(1.2, abs(problem.network.negative_slope))
    is_rectifier = "relu" in problem.network.activation
    size = 1 + np.abs(s.a[-1])
    error = c * size * np.maximum(1.0, np.abs(s.a[-1]).max(axis=0))
    allowed = {}
    for layer in reversed(range(len(wide))):
        if layer < s.depth:
            weight = np.abs(wide[layer + 1]["weight"]).T
            size, error = steepest * weight @ size, steepest * weight @ error
        if is_rectifier and not isinstance(s.slope(layer), float):
            terms = np.abs(s.z[layer])
            if layer > 0:
                terms = terms + np.abs(wide[layer]["weight"]) @ np.abs(s.a[layer - 1])
            near = np.abs(s.z[layer]) <= c * terms
            error = error + near * (np.abs(s.z[layer]) + terms > 0) * size
        error = error + c * size
        if layer > 0:
            below = np.abs(s.a[layer - 1])
            allowed[f"{layer}/weight"] = (error + c * size) @ below.T
        if "bias" in wide[layer]:
            allowed[f"{layer}/bias"] = error.sum(axis=1)
    return {
        leaf: allowed[leaf]
        + relative(value, precision)
        + 4 * u * problem.l2 * np.abs(named_leaves(wide)[leaf])
        for leaf, value in autodiff.items()
    }
