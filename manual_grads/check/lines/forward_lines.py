"""What can be wrong in a line of the forward pass, z^l = W^l a^{l−1} + b^l and a^l = f(z^l)."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from manual_grads.check import formulas
from manual_grads.check.formulas import Array, Scene, Step, tables
from manual_grads.check.lines.readings import Seen


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
        others = [k for k in range(1, depth + 1) if layers != (k,)]
        sums = [*tables.FORWARD_SUMS, *(f"W @ am + b_{k}" for k in others)]
        sums += [f"W_{k} @ am + b" for k in others]
        for formula in sums if layers[0] > 0 else ():
            yield _changed(scene, formula, "W @ am + b", layers)
        if layers == (depth,) or all(formulas.is_active(problem, layer) for layer in layers):
            for formula in tables.FORWARD_ACTIVATIONS:
                yield _changed(scene, formula, "f(z)", layers)


def _changed(scene: Scene, formula: str, right: str, layers: tuple[int, ...]) -> ForwardChange:
    functions, plain = formulas.named_functions(scene.problem), formulas.plain_step(scene.problem)

    def step(params, layer, below, x):
        z, a = plain(params, layer, below, x)
        names: dict[str, Any] = functions | {"x": x, "am": below, "zm": below, "z": z}
        for k, leaves in enumerate(params):
            each = {name[0].upper() if name == "weight" else "b": v for name, v in leaves.items()}
            each |= {"b": each["b"][:, None]} if "b" in each else {}
            names |= {f"{name}_{k}": value for name, value in each.items()}
            names |= each if k == layer else {}
        value = formulas.value_of(formula, names, z.shape)
        if value is None:
            return z, np.full_like(a, np.nan)  # it does not fit here
        if right == "f(z)":
            return z, value
        is_sum = right != "x" and formulas.is_active(scene.problem, layer)
        return value, functions["f"](value) if is_sum else value

    return ForwardChange(formula, right, layers, step)


def scaled_units(seen: Seen) -> Iterator[ForwardChange]:
    """Hidden units that are multiplied by constants, which the weight derivatives above show."""
    scene = seen.scene
    for layer in range(1, scene.depth):
        weight, bias = seen.weights.get(layer + 1), seen.biases.get(layer + 1)
        if weight is None or bias is None or not weight.is_rank_one or not np.all(np.any(bias, 0)):
            continue
        row = weight.row * np.sum(weight.column * bias, axis=0) / np.sum(bias * bias, axis=0)
        a = scene.a[layer]
        ratio = np.where(a != 0, row / np.where(a != 0, a, 1), np.nan)
        alive = ~np.all(np.isnan(ratio), axis=1)
        factors = np.ones(len(a))
        factors[alive] = np.nanmean(ratio[alive], axis=1)
        spread = np.nanmax(np.abs(ratio[alive] - factors[alive, None]), initial=0.0)
        allowed = 1e3 * seen.tolerance * np.abs(factors).max()
        if spread <= allowed and np.ptp([*factors, 1.0]) > 1e-6:
            yield _scaled(scene, layer, factors)


def _scaled(scene: Scene, layer: int, factors: Array) -> ForwardChange:
    plain = formulas.plain_step(scene.problem)
    shown = ", ".join(f"{factor:.4g}" for factor in factors[:6]) + "…" * (len(factors) > 6)
    shown = f"{factors[0]:.4g}" if np.ptp(factors) < 1e-9 else f"({shown})"

    def step(params, layer, below, x):
        z, a = plain(params, layer, below, x)
        return z, factors[:, None] * a

    gains = {layer: factors[:, None]}
    return ForwardChange(f"f(z) * {shown}", "f(z)", (layer,), step, gains)
