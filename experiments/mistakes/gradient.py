"""Handwritten gradients in rows of NumPy, with mistakes of the catalogue injected.

Written apart from everything that the checker computes with, so that a mistake of its own in what
it takes for right or wrong would show.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads import Architecture

BATCH = 7


class Injected(NamedTuple):
    """A mistake by its name in the catalogue, a variant of it, and the layer that has it."""

    mistake: str
    variant: str
    layer: int


def sigmoid(z):
    """σ(z)."""
    return 1 / (1 + np.exp(-z))


F = {
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.where(z > 0, z, 0 * z), lambda z: (z > 0).astype(z.dtype)),
    "leaky_relu": (
        lambda z: np.where(z > 0, z, z.dtype.type(0.1) * z),
        lambda z: np.where(z > 0, z.dtype.type(1), z.dtype.type(0.1)),
    ),
}


def handwritten(architecture: Architecture, injections: Sequence[Injected]) -> Callable[..., list]:
    """The gradient of `architecture`'s loss, written in rows, with these mistakes in it."""
    injected = {(p.mistake, p.variant, p.layer) for p in injections}
    names = {p.mistake: p for p in injections}
    f, slope = F[architecture.activation]
    depth, cross_entropy = architecture.depth, architecture.loss == "cross_entropy"
    kept: list[Any] = []

    def has(mistake, variant, layer):
        return (mistake, variant, layer) in injected

    def slope_at(layer, z, a):
        if has("slope-missing", "", layer):
            return np.ones_like(z)
        if has("slope-at-a", "", layer):
            return slope(a)
        if has("slope-of-other", "value", layer):
            return a
        if has("slope-of-other", "sigmoid", layer):
            return sigmoid(z) * (1 - sigmoid(z))
        if has("slope-of-other", "tanh", layer):
            return 1 - np.tanh(z) ** 2
        if has("slope-of-other", "twice", layer) or has("other-loss", "twice", layer):
            return slope(z) ** 2
        if has("kink", "", layer):
            return np.where(z == 0, 0.5, slope(z))
        return slope(z)

    def gradient(params, images, labels):
        n = len(images)
        z, a = [], []
        for layer, leaves in enumerate(params):
            value = images if layer == 0 else a[-1] @ leaves["weight"].T
            z.append(value + leaves.get("bias", 0.0))
            plain = layer == 0 and architecture.input_layer == "plain"
            linear = plain or (layer == depth and cross_entropy)
            a.append(z[-1] if linear else f(z[-1]))
        if cross_entropy:
            y = np.eye(a[-1].shape[1], dtype=a[-1].dtype)[labels]
            p = np.exp(z[-1] - z[-1].max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
        else:
            y, p = labels, a[-1]
        if "labels-shifted" in names:
            y = np.roll(y, 1, axis=0)
        if "one-hot-missing" in names:
            y = 0 * y
        if cross_entropy:
            delta = (p - y) / n
            if "softmax-diagonal" in names:
                delta = np.where(y == 1, p - 1, 0.0) / n
            if has("other-loss", "no slope", depth):
                delta = 2 * (p - y) / n
            if has("other-loss", "slope extra", depth):
                delta = (p - y) * p * (1 - p) / n
        else:
            delta = -2 * (y - p) * slope_at(depth, z[-1], a[-1]) / n
            if has("other-loss", "cross-entropy", depth):
                e = np.exp(z[-1] - z[-1].max(axis=1, keepdims=True))
                delta = (e / e.sum(axis=1, keepdims=True) - y) / n
        result: list[dict[str, np.ndarray]] = [{} for _ in params]
        for layer in reversed(range(depth + 1)):
            if layer < depth:
                weight = params[layer + 1]["weight"]
                back = weight.T if has("weights-not-transposed", "", layer) else weight
                delta = delta @ back
                if layer > 0 or architecture.input_layer == "active":
                    delta = delta * slope_at(layer, z[layer], a[layer])
            for variant, factor in (("2", 2.0), ("half", 0.5), ("4", 4.0)):
                if has("factor", f"delta {variant}", layer):
                    delta = factor * delta
            if has("sign", "delta", layer):
                delta = -delta
            for kind in params[layer]:
                result[layer][kind] = _leaf(has, params, layer, kind, delta, z, a, images)
        result = _whole(names, result, params, n, a[-1].shape[1])
        if "not-cleared" in names:
            kept.append(result)
            result = jax.tree.map(lambda *leaves: np.sum(leaves, axis=0), *kept)
        return result

    return gradient


def _leaf(has, params, layer, kind, delta, z, a, images):
    """A leaf from its layer's δ, with what is injected into it."""

    def leaf_has(mistake, variant):
        return has(mistake, f"{kind} {variant}".strip(), layer)

    counted = np.ones((len(delta), 1), delta.dtype)
    if leaf_has("overwritten", "last"):
        counted = 0 * counted
        counted[-1] = 1
    if leaf_has("overwritten", "first dropped"):
        counted[0] = 0
    if leaf_has("overwritten", "last dropped"):
        counted[-1] = 0
    if leaf_has("overwritten", "first twice"):
        counted[0] = 2
    delta = delta * counted
    if kind == "bias":
        leaf = delta.sum(axis=0)
        if leaf_has("wrong-axis", ""):
            leaf = np.full_like(leaf, delta.sum())
    else:
        below = a[layer - 1]
        if leaf_has("wrong-factor", "z"):
            below = z[layer - 1]
        if leaf_has("wrong-factor", "own a"):
            below = a[layer]
        if leaf_has("wrong-factor", "pixels"):
            below = 255 * images
        leaf = delta.T @ below
        if leaf_has("transposed", ""):
            leaf = np.ascontiguousarray(leaf.T).reshape(leaf.shape)
    if leaf_has("sign", ""):
        leaf = -leaf
    if leaf_has("factor", ""):
        leaf = 2 * leaf
    if leaf_has("permuted", "rolled"):
        leaf = np.roll(leaf, 1, axis=0)
    if leaf_has("permuted", "swapped"):
        leaf = leaf[[1, 0, *range(2, len(leaf))]]
    if leaf_has("unwritten", "zero"):
        leaf = 0 * leaf
    if leaf_has("unwritten", "parameter"):
        leaf = params[layer][kind].copy()
    if leaf_has("regulariser", ""):
        leaf = leaf + 0.01 * params[layer][kind]
    return leaf


def _whole(names, result, params, n, classes):
    """The finished gradient, with what is injected into all of it."""
    for one in names.values():
        change = WHOLE.get((one.mistake, one.variant))
        if change is not None:
            norm = np.sqrt(sum(np.sum(leaf**2) for leaves in result for leaf in leaves.values()))
            result = [
                {
                    kind: change(kind, leaf, params[layer][kind], n, classes, norm)
                    for kind, leaf in leaves.items()
                }
                for layer, leaves in enumerate(result)
            ]
        if one.mistake == "leaked-slot":
            depth = len(params) - 1
            for owner in {"output": [depth], "input": [0], "both": [depth, 0]}[one.variant]:
                result[depth - 1]["bias"][-1] += result[owner]["bias"].sum()
                result[owner]["bias"][:] = 0
    return result


RATE = 0.05
"""λ of a loss that has the regulariser λ/2 Σ W² in it."""

REGULARISED = {"once": 1, "missing": 0, "doubled": 2, "halved": 0.5, "of the wrong sign": -1}
"""How often λ W stands in a gradient whose loss has the regulariser; `once` is right."""

WHOLE: dict[tuple[str, str], Callable[..., np.ndarray]] = {
    ("sum-not-mean", ""): lambda kind, leaf, theta, n, k, norm: n * leaf,
    ("averaged-twice", "batch"): lambda kind, leaf, theta, n, k, norm: leaf / n,
    ("averaged-twice", "classes"): lambda kind, leaf, theta, n, k, norm: leaf / k,
    ("bias-scale", "bias"): lambda kind, leaf, theta, n, k, norm: leaf * n ** (kind == "bias"),
    ("bias-scale", "weight"): lambda kind, leaf, theta, n, k, norm: leaf * n ** (kind == "weight"),
    ("nominal-batch", ""): lambda kind, leaf, theta, n, k, norm: leaf * n / BATCH,
    **{
        ("regulariser", variant): lambda kind, leaf, theta, n, k, norm, times=times: (
            leaf + times * RATE * theta * (kind == "weight")
        )
        for variant, times in REGULARISED.items()
    },
    ("regulariser", "weights"): lambda kind, leaf, theta, n, k, norm: (
        leaf + 0.02 * theta * (kind == "weight")
    ),
    ("regulariser", "all"): lambda kind, leaf, theta, n, k, norm: leaf + 0.02 * theta,
    ("clipped", "norm"): lambda kind, leaf, theta, n, k, norm: leaf * min(1.0, 0.01 / norm),
    ("clipped", "value"): lambda kind, leaf, theta, n, k, norm: np.clip(leaf, -0.005, 0.005),
    ("low-precision", "bfloat16"): lambda kind, leaf, theta, n, k, norm: leaf.astype(
        jnp.dtype("bfloat16")
    ).astype(np.float64),
    ("low-precision", "float16"): lambda kind, leaf, theta, n, k, norm: leaf.astype(
        np.float16
    ).astype(np.float64),
}
"""Of one leaf: `(kind, leaf, θ, N, K, the whole gradient's norm)` to what it becomes."""
