"""The names that formulas use, with their values for one layer; `tables` says what they mean."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manual_grads.check.formulas.scene import Array, Scene, named_functions


def names_of(
    s: Scene,
    layer: int,
    deltas: Mapping[int, Array],
    leaf_above: Sequence[Array] = (),
    times: float = 1.0,
) -> dict[str, Any]:
    """What the formulas of a layer can use; see `tables`. All δ are multiplied by `times`."""
    deltas = {k: times * delta for k, delta in deltas.items()}
    names: dict[str, Any] = named_functions(s.problem) | {"x": s.x, "y": s.y, "o": s.a[-1]}
    for k in range(s.depth + 1):
        names |= {f"z_{k}": s.z[k], f"a_{k}": s.a[k]}
    for mark, k in (("", layer), ("m", layer - 1), ("n", layer + 1)):
        if 0 <= k <= s.depth:
            names |= {f"z{mark}": s.z[k], f"a{mark}": s.a[k]}
            if s.has(k, "bias"):
                names[f"b{mark}"] = np.stack(s.theta(k, "bias"), axis=1)
    names |= {f"d_{k}": delta for k, delta in deltas.items()}
    for k in range(1, s.depth + 1):
        names[f"T_{k}"] = lambda v, k=k: s.back(k, v)
    names["label"] = lambda y: np.argmax(y, axis=0) * 1.0
    names["shifted"] = _shifted
    if layer > 0:
        names["below"] = lambda v: s.back(layer, v)
    if layer in deltas:
        names["d"] = deltas[layer]
    if layer + 1 in deltas:
        above, units = deltas[layer + 1], len(s.a[layer])

        def through(of, v):
            return s.each(lambda params, part: of(params[layer + 1]["weight"]) @ v[:, part])

        def kept(unit):
            return lambda v: v * (np.arange(len(v)) == unit % len(v))[:, None]

        names |= {
            "D": above, "V": s.back(layer + 1, above), "back": lambda v: s.back(layer + 1, v),
            "through": lambda v: through(lambda w: w, v),
            "reshaped": lambda v: through(lambda w: w.reshape(units, -1), v),
            "partial": lambda v: s.back(layer + 1, np.arange(len(v), 0, -1.0)[:, None] * v),
            "first": kept(0), "last": kept(-1),
        }  # fmt: skip
        if s.has(layer + 1, "bias"):
            of_bias = s.each(lambda p, part: p[layer + 1]["bias"][None] @ above[:, part])
            back = names["V"]
            names["without"] = lambda k: np.concatenate([np.delete(back, k, axis=0), of_bias])
            names["after"] = lambda k: np.concatenate([of_bias, np.delete(back, k, axis=0)])
        if layer + 2 in deltas:
            names["raw"] = s.back(layer + 2, deltas[layer + 2])
        if len(leaf_above):
            each_leaf = [times * leaf.T @ above[:, n] for n, leaf in enumerate(leaf_above)]
            names["G"] = np.stack(each_leaf, axis=1)
    return names


def _shifted(y: Array, by: int) -> Array:
    rolled = np.roll(y, by, axis=0)
    rolled[:by] *= by < 0
    rolled[by if by < 0 else len(y) :] = 0
    return rolled
