"""The values of a network on single examples, which the lines of a backward pass are made of.

The examples are columns. They come from several draws of the parameters, because formulas that agree
for one draw can differ for another; the products with weights are taken draw by draw.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from manual_grads.check.diagnosis.problem import Problem

Array = np.ndarray
Leaves = dict[str, Array]
Params = list[Leaves]


def sigmoid(z: Array) -> Array:
    """σ(z) = 1 / (1 + e^−z)."""
    return 1 / (1 + np.exp(-z))


def softmax(a: Array) -> Array:
    """The softmax of each column."""
    shifted = np.exp(a - a.max(axis=0))
    return shifted / shifted.sum(axis=0)


_ERFC = np.vectorize(math.erfc, otypes=[float])


def normal_distribution(z: Array) -> Array:
    """Φ(z), the normal distribution."""
    return _ERFC(-z / 2**0.5) / 2


FUNCTIONS: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "sigmoid": (lambda z, s: sigmoid(z), lambda z, s: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (lambda z, s: np.tanh(z), lambda z, s: 1 - np.tanh(z) ** 2),
    "relu": (lambda z, s: np.where(z > 0, z, 0.0), lambda z, s: (z > 0) * 1.0),
    "leaky_relu": (lambda z, s: np.where(z > 0, z, s * z), lambda z, s: np.where(z > 0, 1.0, s)),
    "gelu": (
        lambda z, s: z * normal_distribution(z),
        lambda z, s: normal_distribution(z) + z * np.exp(-z * z / 2) / (2 * math.pi) ** 0.5,
    ),
}
"""Each activation f(z, s) and its slope f'(z, s), with the negative slope s of leaky_relu."""


class Scene(NamedTuple):
    """Examples of several draws, and the forward pass; `columns` are those of each draw."""

    problem: Problem
    draws: Sequence[Params]
    columns: Sequence[slice]
    x: Array
    y: Array
    z: list[Array]
    a: list[Array]
    gains: Mapping[int, Array] = MappingProxyType({})  # constants that the a of a layer has

    @property
    def depth(self) -> int:
        """L, the index of the output layer."""
        return self.problem.network.depth

    def has(self, layer: int, kind: str) -> bool:
        """Whether the layer has a weight or a bias."""
        return kind in self.draws[0][layer]

    def is_active(self, layer: int) -> bool:
        """Whether the layer has an activation."""
        return is_active(self.problem, layer)

    def f(self, z: Array) -> Array:
        """The network's activation."""
        network = self.problem.network
        return FUNCTIONS[network.activation][0](z, network.negative_slope)

    def slope(self, z: Array) -> Array:
        """The slope f' of the network's activation."""
        network = self.problem.network
        return FUNCTIONS[network.activation][1](z, network.negative_slope)

    def slope_of(self, layer: int) -> Array:
        """The slope of each unit of an active layer, with the constants of a changed layer."""
        return self.slope(self.z[layer]) * self.gains.get(layer, 1.0)

    def each(self, of: Callable[[Params, slice], Array]) -> Array:
        """The columns that `of` computes from the parameters and columns of each draw."""
        pairs = zip(self.draws, self.columns, strict=True)
        return np.concatenate([of(params, part) for params, part in pairs], axis=1)

    def back(self, layer: int, delta: Array, through: int | None = None) -> Array:
        """`W^lᵀ δ`, or the same with the weights of the layer `through`."""
        source = layer if through is None else through
        return self.each(lambda params, part: params[source]["weight"].T @ delta[:, part])

    def theta(self, layer: int, kind: str) -> list[Array]:
        """A weight or bias for each example."""
        return [
            params[layer][kind]
            for params, part in zip(self.draws, self.columns, strict=True)
            for _ in range(part.stop - part.start)
        ]


def is_active(problem: Problem, layer: int) -> bool:
    """Whether the layer has an activation."""
    if layer == 0:
        return problem.network.input_layer == "active"
    return layer < problem.network.depth or problem.network.loss == "squared_error"


Step = Callable[[Params, int, Array, Array], tuple[Array, Array]]
"""Computes `(z, a)` of a layer from the parameters, the layer, the a below, and the input x."""


def scene_of(
    problem: Problem,
    draws: Sequence[Params],
    batches: Sequence[tuple[Array, Array]],
    change: Step | None = None,
    changed: Sequence[int] = (),
) -> Scene:
    """The scene of batches of images and target rows; `change` replaces the layers `changed`."""
    columns, start = [], 0
    for images, _ in batches:
        columns.append(slice(start, start + len(images)))
        start += len(images)
    z: list[list[Array]] = [[] for _ in draws[0]]
    a: list[list[Array]] = [[] for _ in draws[0]]
    for params, (images, _) in zip(draws, batches, strict=True):
        below = images.T
        for layer in range(len(params)):
            step = change if change is not None and layer in changed else plain_step(problem)
            values, below = step(params, layer, below, images.T)
            z[layer].append(values)
            a[layer].append(below)
    return Scene(
        problem,
        draws,
        columns,
        np.concatenate([images.T for images, _ in batches], axis=1),
        np.concatenate([rows.T for _, rows in batches], axis=1),
        [np.concatenate(parts, axis=1) for parts in z],
        [np.concatenate(parts, axis=1) for parts in a],
    )


def weighted_input(params: Params, layer: int, below: Array) -> Array:
    """z = W a + b; in the input layer, z = x + b."""
    z = params[layer]["weight"] @ below if layer > 0 else below
    return z + params[layer]["bias"][:, None] if "bias" in params[layer] else z


def plain_step(problem: Problem) -> Step:
    """The right forward line of any layer."""
    network = problem.network
    f = FUNCTIONS[network.activation][0]

    def step(params, layer, below, x):
        z = weighted_input(params, layer, below)
        return z, f(z, network.negative_slope) if is_active(problem, layer) else z

    return step
