"""The largest difference that rounding can cause between two right gradients.

Two bounds are backpropagated: |δ| is at most S_δ, and the rounding error of δ is at most E_δ.

    S_δL = 2 r (|p| + |y|)    S_δ = m |W|ᵀ S_δ'    E_δ = m |W|ᵀ E_δ' + c S_δ + [z near a kink] S_δ
    allowed = E_δ |a|ᵀ + c S_δ (|a| + T)ᵀ + R u max |G|

W, S_δ' and E_δ' belong to the layer above, a and T to the layer below. T is |z| + |W| |a|, with the
W and a from which z is computed. p is the output, y the target, r the factor of the reduction, and
u the unit roundoff. c is 8 u n, where n is the number of terms of the longest sum. G is autodiff's
gradient, and R is `ROUNDINGS`. m is an upper bound of |f'(z)|. The formulas contain m instead of
|f'(z)|, because rounding errors can occur even if f'(z) is 0. A kink is z = 0 of a ReLU.

In the output layer, the first term of E_δ is c S_δL max(1, max |a^L|). For a user's loss, S_δL is
1 + |a^L|. Without a network, R u max |G| is allowed.

In float32, if `derivatives` has the loss, the smaller of two values is allowed: the value above and
the bound of `derivatives`. In float64, the bound of `derivatives` is not used, because it takes
seconds to compile and both values are negligible.
"""

from typing import Any

import jax
import numpy as np

from manual_grads.check.formulas import Problem, scene_of, sigmoid, softmax, targets_of
from manual_grads.derivatives import PRECISIONS, gradient_bound
from manual_grads.leaves import named_leaves

Leaves = dict[str, np.ndarray]
ROUNDINGS = 4096
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
    u, eta = PRECISIONS[precision]
    allowed = {
        leaf: np.full(value.shape, ROUNDINGS * (u * np.abs(value).max(initial=0.0) + eta))
        for leaf, value in autodiff.items()
    }
    if problem is not None:
        wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
        propagated = _propagated(problem, is_own_loss, wide, batch, u)
        for leaf, theta in named_leaves(wide).items():
            allowed[leaf] += propagated[leaf] + 4 * u * problem.l2 * np.abs(theta)
        if precision == "float32" and problem.loss == problem.network.loss and not is_own_loss:
            for leaf, value in _bounds(problem, wide, batch).items():
                added = (
                    4 * u * (np.abs(autodiff[leaf]) + problem.l2 * np.abs(named_leaves(wide)[leaf]))
                )
                allowed[leaf] = np.minimum(allowed[leaf], value + added * (problem.l2 > 0))
    return allowed


def _bounds(problem: Problem, params: Any, batch: tuple) -> Leaves:
    """The sum of the rounding bounds in float32 and in float64, times r and the batch size."""
    images, rows = np.asarray(batch[0], np.float64), np.asarray(targets_of(problem, batch[1]))
    scale, total = problem.factor(len(images)) * len(images), {}
    for precision in PRECISIONS:
        bound = _BOUND(problem.network, params, images, rows, precision=precision)
        for leaf, value in named_leaves(bound).items():
            total[leaf] = total.get(leaf, 0.0) + scale * np.asarray(value)
    return total


def _propagated(problem: Problem, is_own_loss: bool, params: Any, batch: tuple, u: float) -> Leaves:
    images = np.asarray(batch[0], np.float64)
    s = scene_of(problem, [params], [(images, np.zeros((len(images), 1)))])
    c = 8 * u * max(*problem.network.layer_sizes, len(images))
    steepest = max(1.2, abs(problem.network.negative_slope))
    is_rectifier = "relu" in problem.network.activation
    size = 1 + np.abs(s.a[-1])
    if not is_own_loss:
        y = np.asarray(targets_of(problem, batch[1]), np.float64).T
        outputs = {"cross_entropy": softmax, "binary_cross_entropy": sigmoid}
        p = outputs.get(problem.loss, lambda a: a)(s.a[-1])
        size = 2 * problem.factor(len(images)) * (np.abs(p) + np.abs(y))
    terms = [np.abs(s.z[0])]
    for layer in range(1, len(params)):
        products = np.abs(params[layer]["weight"]) @ np.abs(s.a[layer - 1])
        terms.append(np.abs(s.z[layer]) + products)
    error = c * size * np.maximum(1.0, np.abs(s.a[-1]).max(axis=0))
    allowed = {}
    for layer in reversed(range(len(params))):
        if layer < s.depth:
            weight = np.abs(params[layer + 1]["weight"]).T
            size, error = steepest * weight @ size, steepest * weight @ error
        if is_rectifier and not isinstance(s.slope(layer), float):
            near = np.abs(s.z[layer]) <= c * terms[layer]
            error = error + near * (terms[layer] > 0) * size
        error = error + c * size
        if layer > 0:
            below = np.abs(s.a[layer - 1])
            allowed[f"{layer}/weight"] = error @ below.T + c * size @ (below + terms[layer - 1]).T
        allowed[f"{layer}/bias"] = error.sum(axis=1)
    return allowed
