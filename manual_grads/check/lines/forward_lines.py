"""What can be wrong in a line of the forward pass, z^l = W^l a^{l−1} + b^l and a^l = f(z^l)."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from manual_grads.check.formulas import (
    Array,
    Scene,
    Step,
    is_active,
    named_functions,
    plain_step,
    tables,
    value_of,
)


class ForwardChange(NamedTuple):
    """A wrong formula in the forward pass of some layers, and its computation."""

    formula: str
    right: str
    layers: tuple[int, ...]
    step: Step
    gains: Mapping[int, Array] = MappingProxyType({})


def forward_changes(scene: Scene) -> Iterator[ForwardChange]:
    """Every wrong formula, in each layer alone and in all hidden or all layers."""
    problem, depth = scene.problem, scene.depth
    for formula in tables.FORWARD_INPUTS:
        yield _changed(scene, formula, "x", (0,))
    groups = [(k,) for k in range(depth + 1)] + [tuple(range(1, depth)), tuple(range(1, depth + 1))]
    for layers in dict.fromkeys(group for group in groups if group):
        others = [f"b_{k}" for k in range(1, depth + 1) if layers != (k,)]
        sums = [*tables.FORWARD_SUMS, *(f"W @ am + {b}" for b in others)]
        sums += [f"W_{k} @ am + b" for k in range(1, depth + 1) if layers != (k,)]
        for formula in sums if layers[0] > 0 else ():
            yield _changed(scene, formula, "W @ am + b", layers)
        if layers == (depth,) or all(is_active(problem, layer) for layer in layers):
            for formula in tables.FORWARD_ACTIVATIONS:
                yield _changed(scene, formula, "f(z)", layers)


def _changed(scene: Scene, formula: str, right: str, layers: tuple[int, ...]) -> ForwardChange:
    functions, plain = named_functions(scene.problem), plain_step(scene.problem)
    functions |= {"mean": lambda v: v.mean(axis=0), "std": lambda v: v.std(axis=0)}
    functions["norm"] = lambda v: np.sqrt(np.sum(v * v, axis=0))

    def step(params, layer, below, x):
        z, a = plain(params, layer, below, x)
        names: dict[str, Any] = functions | {"x": x, "am": below, "zm": below, "z": z}
        for k, leaves in enumerate(params):
            for kind, name in (("weight", "W"), ("bias", "b")):
                if kind in leaves:
                    value = leaves[kind] if kind == "weight" else leaves[kind][:, None]
                    names[f"{name}_{k}"] = value
                    if k == layer:
                        names[name] = value
        value = value_of(formula, names, z.shape)
        if value is None:
            return z, np.full_like(a, np.nan)  # it does not fit here
        if right == "f(z)":
            return z, value
        if right == "x":
            return value, value
        return value, functions["f"](value) if is_active(scene.problem, layer) else value

    return ForwardChange(formula, right, layers, step)


def scaled_units(scene: Scene, layer: int, factors: Array) -> ForwardChange:
    """A hidden layer whose units are multiplied by constants, as by a dropout mask."""
    plain = plain_step(scene.problem)
    shown = ", ".join(f"{factor:.4g}" for factor in factors[:6]) + "…" * (len(factors) > 6)
    shown = f"{factors[0]:.4g}" if np.ptp(factors) < 1e-9 else f"({shown})"

    def step(params, layer, below, x):
        z, a = plain(params, layer, below, x)
        return z, factors[:, None] * a

    gains = {layer: factors[:, None]}
    return ForwardChange(f"f(z) * {shown}", "f(z)", (layer,), step, gains)
