"""A backward pass in float64 NumPy, in which each line can be replaced by a wrong one.

    δ^L, δ^{L−1}, …, δ⁰      computed as in `network.base_derivatives`, in columns
    ∂C/∂W^l, ∂C/∂b^l         computed as in `network.leaf_derivatives`

A `Change` replaces the result of one of these lines; the later lines use the replaced result.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from manual_grads.architecture import Architecture
from manual_grads.derivatives import LOSS_RULES, forward

Array = np.ndarray
Columns = Float[np.ndarray, "_ batch"]
Leaves = dict[str, Array]
Line = tuple[str, int]
"""What a line computes, and its layer: `("delta", 2)`, `("weight", 2)` or `("bias", 2)`."""

Change = Callable[["Point", int, Columns, Array], Array]
"""Maps `(point, layer, δ, correct)` to a wrong result. For a leaf, `δ` is that of its layer. For a
line that computes δ, it is the δ of the layer above; for the output layer, the correct δ^L."""


class Point(NamedTuple):
    """A batch in columns, the parameters, and all values of the forward pass."""

    architecture: Architecture
    params: list[Leaves]
    x: Columns
    y: Columns
    z: list[Columns]
    a: list[Columns]
    slope: list[Columns | float]
    delta: Columns  # δ^L of the mean over the batch

    @property
    def examples(self) -> int:
        """N, the number of examples in the batch."""
        return self.x.shape[1]


def point(architecture: Architecture, params, images, targets) -> Point:
    """The `Point` of a batch with one example per row; call it under `jax.enable_x64(True)`."""
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), (params, images, targets))
    params, x, y = wide[0], np.asarray(wide[1]).T, np.asarray(wide[2]).T
    units, by_output = jax.tree.map(np.asarray, _FORWARD(architecture, params, x, y))
    slope = [values if values.ndim == 2 else 1.0 for values in units.slope]
    delta = by_output * slope[-1] / x.shape[1]
    return Point(architecture, params, x, y, units.z, units.a, slope, delta)


def _forward(architecture: Architecture, params: Any, x: Any, y: Any) -> Any:
    """The values of all units, and ∂C/∂a^L of each example."""
    units = forward(architecture, params, x)
    return units, LOSS_RULES[architecture.loss].derivative(units.a[-1], y)


_FORWARD = jax.jit(_forward, static_argnums=0)


def backprop(at: Point, layer: int, above: Columns) -> Columns:
    """`W^{l+1}ᵀ δ^{l+1}`, the derivative with respect to a^l."""
    return at.params[layer + 1]["weight"].T @ above


def correct_delta(at: Point, layer: int, above: Columns | None) -> Columns:
    """δ^l computed from the δ of the layer above, which is None for the output layer."""
    if above is None:
        return at.delta
    return backprop(at, layer, above) * at.slope[layer]


def correct_leaf(at: Point, kind: str, layer: int, delta: Columns) -> Array:
    """`δ^l (a^{l−1})ᵀ` for a weight, or `Σ δ^l` for a bias."""
    return delta @ at.a[layer - 1].T if kind == "weight" else delta.sum(axis=1)


def gradient(at: Point, changes: Mapping[Line, Change]) -> Leaves:
    """The gradient by leaf name, with `changes` applied to their lines."""
    leaves, above = {}, None
    for layer in reversed(range(len(at.params))):
        delta = correct_delta(at, layer, above)
        if ("delta", layer) in changes:
            used = delta if above is None else above
            delta = changes["delta", layer](at, layer, used, delta)
        for kind in at.params[layer]:
            leaf = correct_leaf(at, kind, layer, delta)
            if (kind, layer) in changes:
                leaf = changes[kind, layer](at, layer, delta, leaf)
            leaves[f"{layer}/{kind}"] = leaf
        above = delta
    return leaves
