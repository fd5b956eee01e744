"""The values of a network on single examples, and the names that formulas use for them.

The examples are columns. They come from several draws of the parameters, because formulas that
agree for one draw can differ for another; products with weights are taken draw by draw.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from manual_grads.check.formulas.problem import Problem

Array = np.ndarray
Params = list[dict[str, Array]]
_ERFC = np.vectorize(math.erfc, otypes=[float])


def sigmoid(z: Array) -> Array:
    """σ(z) = 1 / (1 + e^−z)."""
    return 1 / (1 + np.exp(-z))


def softmax(a: Array) -> Array:
    """The softmax of each column."""
    shifted = np.exp(a - a.max(axis=0))
    return shifted / shifted.sum(axis=0)


def normal(z: Array) -> Array:
    """Φ(z), the normal distribution."""
    return _ERFC(-z / 2**0.5) / 2


def density(z: Array) -> Array:
    """φ(z), the density of the normal distribution."""
    return np.exp(-z * z / 2) / (2 * math.pi) ** 0.5


FUNCTIONS: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "sigmoid": (lambda z, s: sigmoid(z), lambda z, s: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (lambda z, s: np.tanh(z), lambda z, s: 1 - np.tanh(z) ** 2),
    "relu": (lambda z, s: np.where(z > 0, z, 0.0), lambda z, s: (z > 0) * 1.0),
    "leaky_relu": (lambda z, s: np.where(z > 0, z, s * z), lambda z, s: np.where(z > 0, 1.0, s)),
    "gelu": (lambda z, s: z * normal(z), lambda z, s: normal(z) + z * density(z)),
}
"""Each activation f(z, s) and its slope f'(z, s), with the negative slope s of leaky_relu."""


class Scene(NamedTuple):
    """Examples of several draws, and the forward pass; `columns` are those of each draw.

    `gains` are constants by which units of a layer are multiplied in a wrong forward pass.
    """

    problem: Problem
    draws: Sequence[Params]
    columns: Sequence[slice]
    x: Array
    y: Array
    z: list[Array]
    a: list[Array]
    gains: Mapping[int, Array] = MappingProxyType({})

    @property
    def depth(self) -> int:
        """L, the index of the output layer."""
        return self.problem.network.depth

    def has(self, layer: int, kind: str) -> bool:
        """Whether the layer has a weight or a bias."""
        return kind in self.draws[0][layer]

    def slope(self, layer: int) -> Array | float:
        """f'(z) of the layer, or 1 if it has no activation."""
        if not is_active(self.problem, layer):
            return 1.0
        return named_functions(self.problem)["df"](self.z[layer]) * self.gains.get(layer, 1.0)

    def each(self, of: Callable[[Params, slice], Array]) -> Array:
        """The columns that `of` computes from the parameters and columns of each draw."""
        pairs = zip(self.draws, self.columns, strict=True)
        return np.concatenate([of(params, part) for params, part in pairs], axis=1)

    def back(self, layer: int, delta: Array) -> Array:
        """`W^lᵀ δ`."""
        return self.each(lambda params, part: params[layer]["weight"].T @ delta[:, part])

    def theta(self, layer: int, kind: str) -> list[Array]:
        """A weight or bias for each example."""
        pairs = zip(self.draws, self.columns, strict=True)
        return [p[layer][kind] for p, part in pairs for _ in range(part.stop - part.start)]


def is_active(problem: Problem, layer: int) -> bool:
    """Whether the layer has an activation."""
    if layer == 0:
        return problem.network.input_layer == "active"
    return layer < problem.network.depth or problem.network.loss == "squared_error"


def named_functions(problem: Problem) -> dict[str, Any]:
    """The functions of formulas: f, df for f', every activation g and its slope dg, and others."""
    s = problem.network.negative_slope
    names: dict[str, Any] = {
        "softmax": softmax, "normal": normal, "density": density, "s": s, "pi": np.pi,
        "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs, "sign": np.sign,
        "where": np.where, "arctan": np.arctan, "round": np.round, "roll": np.roll, "len": len,
        "min": np.minimum, "max": np.maximum,
        "sum": lambda v: np.ones_like(v) * v.sum(axis=0),
        "top": lambda v: np.ones_like(v) * v.max(axis=0), "mean": lambda v: v.mean(axis=0),
        "std": lambda v: v.std(axis=0), "norm": lambda v: np.sqrt(np.sum(v * v, axis=0)),
    }  # fmt: skip
    for name, (f, slope) in FUNCTIONS.items():
        names[name] = lambda z, f=f: f(z, s)
        names[f"d{name}"] = lambda z, f=slope: f(z, s)
    own = problem.network.activation
    return names | {"f": names[own], "df": names[f"d{own}"]}


Step = Callable[[Params, int, Array, Array], tuple[Array, Array]]
"""Computes `(z, a)` of a layer from the parameters, the layer, the a below, and the input x."""


def plain_step(problem: Problem) -> Step:
    """The right forward line of any layer: z = W a + b, or x + b in the input layer; a = f(z)."""
    f = named_functions(problem)["f"]

    def step(params, layer, below, x):
        z = params[layer]["weight"] @ below if layer > 0 else below
        z = z + params[layer]["bias"][:, None] if "bias" in params[layer] else z
        return z, f(z) if is_active(problem, layer) else z

    return step


def scene_of(
    problem: Problem,
    draws: Sequence[Params],
    batches: Sequence[tuple[Array, Array]],
    change: Step | None = None,
    changed: Sequence[int] = (),
) -> Scene:
    """The scene of batches of images and target rows; `change` replaces the layers `changed`."""
    ends = np.cumsum([0, *(len(images) for images, _ in batches)])
    columns = [slice(int(i), int(j)) for i, j in itertools.pairwise(ends)]
    plain = plain_step(problem)
    layers: list[list[tuple[Array, Array]]] = [[] for _ in draws[0]]
    for params, (images, _) in zip(draws, batches, strict=True):
        values = images.T, images.T
        for layer, each in enumerate(layers):
            step = change if change is not None and layer in changed else plain
            values = step(params, layer, values[1], images.T)
            each.append(values)
    x, y = (np.concatenate([batch[k].T for batch in batches], axis=1) for k in (0, 1))
    z, a = ([np.concatenate([one[k] for one in each], axis=1) for each in layers] for k in (0, 1))
    return Scene(problem, draws, columns, x, y, z, a)


def changed_scene(
    s: Scene, change: Step, changed: Sequence[int], gains: Mapping[int, Array]
) -> Scene:
    """The same examples with another step in the layers `changed`."""
    batches = [(s.x[:, part].T, s.y[:, part].T) for part in s.columns]
    return scene_of(s.problem, s.draws, batches, change, changed)._replace(gains=gains)
