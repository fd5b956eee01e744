"""The values of a network on single examples, and the names that formulas use for them.

Each example is a column. The parameters are drawn several times, because two formulas can agree by
chance for one draw. Each array has the columns of all draws. In a product with a weight matrix,
such as `W^lᵀ δ`, each column is multiplied by the weights of its own draw.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr

from manual_grads.check.formulas.checked_network import Problem
from manual_grads.check.formulas.expressions import value_of

Array = np.ndarray
Params = list[dict[str, Array]]


def sigmoid(z: Array) -> Array:
    """σ(z) = 1 / (1 + e^−z)."""
    return 1 / (1 + np.exp(-z))


def softmax(a: Array) -> Array:
    """The softmax of each column."""
    shifted = np.exp(a - a.max(axis=0))
    return shifted / shifted.sum(axis=0)


def density(z: Array) -> Array:
    """φ(z), the density of the normal distribution."""
    return np.exp(-z * z / 2) / (2 * math.pi) ** 0.5


FUNCTIONS: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "sigmoid": (lambda z, s: sigmoid(z), lambda z, s: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (lambda z, s: np.tanh(z), lambda z, s: 1 - np.tanh(z) ** 2),
    "relu": (lambda z, s: np.where(z > 0, z, 0.0), lambda z, s: (z > 0) * 1.0),
    "leaky_relu": (lambda z, s: np.where(z > 0, z, s * z), lambda z, s: np.where(z > 0, 1.0, s)),
    "gelu": (lambda z, s: z * ndtr(z), lambda z, s: ndtr(z) + z * density(z)),
}
"""f(z, s) and f'(z, s) of each activation f; s is the slope of leaky_relu for z < 0."""


class Scene(NamedTuple):
    """The forward pass on all examples. `columns[i]` selects the examples of draw i."""

    problem: Problem
    draws: Sequence[Params]
    columns: Sequence[slice]
    x: Array
    y: Array
    z: list[Array]
    a: list[Array]

    @property
    def depth(self) -> int:
        """L, the index of the output layer."""
        return self.problem.network.depth

    def slope(self, layer: int) -> Array | float:
        """f'(z) of the layer, or 1 if it has no activation."""
        if not is_active(self.problem, layer):
            return 1.0
        return named_functions(self.problem)["df"](self.z[layer])

    def each(self, of: Callable[[Params, slice], Array]) -> Array:
        """Calls `of(parameters, columns)` for each draw, and joins the returned columns."""
        pairs = zip(self.draws, self.columns, strict=True)
        return np.concatenate([of(params, part) for params, part in pairs], axis=1)

    def back(self, layer: int, delta: Array) -> Array:
        """`W^lᵀ δ`, where l is `layer`."""
        return self.each(lambda params, part: params[layer]["weight"].T @ delta[:, part])

    def theta(self, layer: int, kind: str) -> list[Array]:
        """For each example, the weight or bias of the layer in the example's draw."""
        pairs = zip(self.draws, self.columns, strict=True)
        return [p[layer][kind] for p, part in pairs for _ in range(part.stop - part.start)]


def is_active(problem: Problem, layer: int) -> bool:
    """Whether the layer has an activation."""
    if layer == 0:
        return problem.network.input_layer == "active"
    return layer < problem.network.depth or problem.network.loss == "squared_error"


@cache
def named_functions(problem: Problem) -> dict[str, Any]:
    """The functions that formulas can use: f, df, each activation, its derivative, and others."""
    s = problem.network.negative_slope
    names: dict[str, Any] = {
        "softmax": softmax, "normal": ndtr, "density": density, "s": s, "pi": np.pi,
        "exp": np.exp, "log": np.log, "abs": np.abs, "sign": np.sign,
        "where": np.where, "arctan": np.arctan, "roll": np.roll, "len": len,
        "max": np.maximum,
        "sum": lambda v: np.ones_like(v) * v.sum(axis=0),
        "top": lambda v: np.ones_like(v) * v.max(axis=0), "mean": lambda v: v.mean(axis=0),
        "std": lambda v: v.std(axis=0),
    }  # fmt: skip
    for name, (f, slope) in FUNCTIONS.items():
        names[name] = lambda z, f=f: f(z, s)
        names[f"d{name}"] = lambda z, f=slope: f(z, s)
    own = problem.network.activation
    return names | {"f": names[own], "df": names[f"d{own}"]}


class Forward(NamedTuple):
    """A wrong formula in the forward pass of some layers, and the right one."""

    formula: str
    right: str
    layers: tuple[int, ...]


def scene_of(
    problem: Problem,
    draws: Sequence[Params],
    batches: Sequence[tuple[Array, Array]],
    change: Forward | None = None,
) -> Scene:
    """The `Scene` of several draws of the parameters, each with its own images and targets.

    If `change` is given, it replaces a line of the forward pass by a wrong line.
    """
    ends = np.cumsum([0, *(len(images) for images, _ in batches)])
    columns = [slice(int(i), int(j)) for i, j in itertools.pairwise(ends)]
    layers: list[list[tuple[Array, Array]]] = [[] for _ in draws[0]]
    for params, (images, _) in zip(draws, batches, strict=True):
        below = images.T
        for layer, each in enumerate(layers):
            each.append(_step(problem, params, layer, below, images.T, change))
            below = each[-1][1]
    x, y = (np.concatenate([batch[k].T for batch in batches], axis=1) for k in (0, 1))
    z, a = ([np.concatenate([one[k] for one in each], axis=1) for each in layers] for k in (0, 1))
    return Scene(problem, draws, columns, x, y, z, a)


def _step(
    problem: Problem, params: Params, layer: int, below: Array, x: Array, change: Forward | None
) -> tuple[Array, Array]:
    """The layer's z and a. Without `change`, z is W below + b, or x + b in layer 0; a is f(z)."""
    functions, own = named_functions(problem), params[layer]
    f = functions["f"] if is_active(problem, layer) else lambda z: z
    z = own["weight"] @ below if layer > 0 else below
    z = z + own["bias"][:, None] if "bias" in own else z
    if change is None or layer not in change.layers:
        return z, f(z)
    names: dict[str, Any] = functions | {"x": x, "am": below, "zm": below, "z": z}
    for k, leaves in enumerate(params):
        each = {"W": leaves.get("weight"), "b": leaves.get("bias", np.array([]))[:, None]}
        names |= {f"{name}_{k}": value for name, value in each.items()}
        names |= each if k == layer else {}
    value = value_of(change.formula, names, z.shape)
    if value is None:
        return z, np.full_like(z, np.nan)  # the formula cannot be evaluated in this layer
    if change.right == "x":
        return _step(problem, params, layer, value, x, None)
    return (z, value) if change.right == "f(z)" else (value, f(value))


def changed_scene(s: Scene, change: Forward) -> Scene:
    """The scene of the same examples with a wrong line in the forward pass."""
    batches = [(s.x[:, part].T, s.y[:, part].T) for part in s.columns]
    return scene_of(s.problem, s.draws, batches, change)


def names_of(
    s: Scene,
    layer: int,
    deltas: Mapping[int, Array],
    leaf_above: Sequence[Array] = (),
    times: float = 1.0,
) -> dict[str, Any]:
    """The values of the names in formulas of a layer; see `tables`. `times` multiplies all δ."""
    deltas = {k: times * delta for k, delta in deltas.items()}
    names: dict[str, Any] = named_functions(s.problem) | {"x": s.x, "y": s.y, "o": s.a[-1]}
    for k in range(s.depth + 1):
        names |= {f"z_{k}": s.z[k], f"a_{k}": s.a[k]}
    for mark, k in (("", layer), ("m", layer - 1), ("n", layer + 1)):
        if 0 <= k <= s.depth:
            names |= {f"z{mark}": s.z[k], f"a{mark}": s.a[k]}
            if "bias" in s.draws[0][k]:
                names[f"b{mark}"] = np.stack(s.theta(k, "bias"), axis=1)
    names |= {f"d_{k}": delta for k, delta in deltas.items()}
    for k in range(1, s.depth + 1):
        names[f"T_{k}"] = lambda v, k=k: s.back(k, v)
    names["label"] = lambda y: np.argmax(y, axis=0) * 1.0
    names["shifted"] = lambda y, by: np.eye(len(y), k=-by) @ y
    if layer > 0:
        names["below"] = lambda v: s.back(layer, v)
    if layer in deltas:
        names["d"] = deltas[layer]
    if layer + 1 in deltas:
        above, units = deltas[layer + 1], len(s.a[layer])
        names |= {
            "D": above, "V": s.back(layer + 1, above), "back": lambda v: s.back(layer + 1, v),
            "through": lambda v: s.each(lambda p, part: p[layer + 1]["weight"] @ v[:, part]),
            "reshaped": lambda v: s.each(
                lambda p, part: p[layer + 1]["weight"].reshape(units, -1) @ v[:, part]
            ),
            "partial": lambda v: s.back(layer + 1, np.arange(len(v), 0, -1.0)[:, None] * v),
            "first": lambda v: v * np.eye(len(v), 1),
            "last": lambda v: v * np.eye(len(v), 1, 1 - len(v)),
        }  # fmt: skip
        if layer + 2 in deltas:
            names["raw"] = s.back(layer + 2, deltas[layer + 2])
        if len(leaf_above):
            each_leaf = [times * leaf.T @ above[:, n] for n, leaf in enumerate(leaf_above)]
            names["G"] = np.stack(each_leaf, axis=1)
    return names
