"""Handwritten gradients in NumPy, with injected mistakes. Examples are rows.

They share no code with the check, because the check would not notice a mistake in shared code.
"""

from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.special import expit, ndtr, softmax

from manual_grads import Architecture

BATCH = 7

RATE = 0.05
"""λ of the regulariser λ/2 Σ W²."""

REGULARISED = {"once": 1, "missing": 0, "doubled": 2, "halved": 0.5, "of the wrong sign": -1}
"""The factors on λ W in the gradient of a regularised loss; `once` is right."""


class Injected(NamedTuple):
    """An injected mistake: its name in the checker's reports, its variant, and its layer."""

    mistake: str
    variant: str
    layer: int


DENSITY_AT_0 = (2 * np.pi) ** -0.5
F = {
    "sigmoid": (expit, lambda z: expit(z) * (1 - expit(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.where(z > 0, z, 0 * z), lambda z: (z > 0).astype(z.dtype)),
    "leaky_relu": (
        lambda z: np.where(z > 0, z, z.dtype.type(0.1) * z),
        lambda z: np.where(z > 0, z.dtype.type(1), z.dtype.type(0.1)),
    ),
    "gelu": (lambda z: z * ndtr(z), lambda z: ndtr(z) + z * np.exp(-z * z / 2) * DENSITY_AT_0),
}


def counted(at, times):
    """The gradient of a leaf, with each example counted `times` times."""
    delta = at.delta * times.astype(at.delta.dtype)
    return delta.sum(axis=0) if at.kind == "bias" else delta.T @ at.below


def leaked(gradient, owner):
    """Adds layer `owner`'s bias derivatives to that of the last hidden unit; they become 0."""
    gradient[-2]["bias"][-1] += gradient[owner]["bias"].sum()
    gradient[owner]["bias"][:] = 0
    return gradient


MISTAKES: dict[str, dict[tuple[str, str], Callable[..., Any]]] = {
    "labels": {
        ("labels-shifted", ""): lambda y, at: np.roll(y, 1, axis=0),
        ("one-hot-missing", ""): lambda y, at: 0 * y,
    },
    "slope": {
        ("slope-missing", ""): lambda slope, at: np.ones_like(at.z),
        ("slope-at-a", ""): lambda slope, at: at.slope(at.a),
        ("slope-of-other", "value"): lambda slope, at: at.a,
        ("slope-of-other", "sigmoid"): lambda slope, at: F["sigmoid"][1](at.z),
        ("slope-of-other", "tanh"): lambda slope, at: F["tanh"][1](at.z),
        ("slope-of-other", "twice"): lambda slope, at: slope**2,
        ("other-loss", "twice"): lambda slope, at: slope**2,
        ("kink", ""): lambda slope, at: np.where(at.z == 0, 0.5, slope),
    },
    "cross_entropy": {
        ("softmax-diagonal", ""): lambda delta, at: np.where(at.y == 1, at.p - 1, 0.0),
        ("other-loss", "no slope"): lambda delta, at: 2 * delta,
        ("other-loss", "slope extra"): lambda delta, at: delta * at.p * (1 - at.p),
    },
    "squared_error": {
        ("other-loss", "cross-entropy"): lambda delta, at: softmax(at.z, axis=1) - at.y
    },
    "back": {("weights-not-transposed", ""): lambda weight, at: weight.T},
    "delta": {
        ("factor", "delta 2"): lambda delta, at: 2 * delta,
        ("factor", "delta half"): lambda delta, at: delta / 2,
        ("factor", "delta 4"): lambda delta, at: 4 * delta,
        ("sign", "delta"): lambda delta, at: -delta,
    },
    "leaf": {  # "weight" or "bias" is put before the variant
        ("sign", ""): lambda leaf, at: -leaf,
        ("factor", ""): lambda leaf, at: 2 * leaf,
        ("regulariser", ""): lambda leaf, at: leaf + 0.01 * at.theta,
        ("overwritten", "last"): lambda leaf, at: counted(at, at.row == at.row[-1]),
        ("overwritten", "first dropped"): lambda leaf, at: counted(at, at.row > 0),
        ("overwritten", "last dropped"): lambda leaf, at: counted(at, at.row < at.row[-1]),
        ("overwritten", "first twice"): lambda leaf, at: counted(at, 1 + (at.row == 0)),
        ("permuted", "rolled"): lambda leaf, at: np.roll(leaf, 1, axis=0),
        ("permuted", "swapped"): lambda leaf, at: leaf[[1, 0, *range(2, len(leaf))]],
        ("unwritten", "zero"): lambda leaf, at: 0 * leaf,
        ("unwritten", "parameter"): lambda leaf, at: at.theta.copy(),
    },
    "bias": {("wrong-axis", "bias"): lambda leaf, at: np.full_like(leaf, at.delta.sum())},
    "weight": {
        ("transposed", "weight"): lambda leaf, at: leaf.T.reshape(leaf.shape),
        ("wrong-factor", "weight z"): lambda leaf, at: at.delta.T @ at.z_below,
        ("wrong-factor", "weight own a"): lambda leaf, at: at.delta.T @ at.a,
        ("wrong-factor", "weight pixels"): lambda leaf, at: at.delta.T @ (255 * at.images),
    },
    "scaled": {
        ("sum-not-mean", ""): lambda leaf, at: at.n * leaf,
        ("averaged-twice", "batch"): lambda leaf, at: leaf / at.n,
        ("averaged-twice", "classes"): lambda leaf, at: leaf / at.classes,
        ("bias-scale", "bias"): lambda leaf, at: leaf * at.n ** (at.kind == "bias"),
        ("bias-scale", "weight"): lambda leaf, at: leaf * at.n ** (at.kind == "weight"),
        ("nominal-batch", ""): lambda leaf, at: leaf * at.n / BATCH,
    },
    "finished": {
        ("regulariser", "weights"): lambda leaf, at: leaf + 0.02 * at.weight,
        ("regulariser", "all"): lambda leaf, at: leaf + 0.02 * at.theta,
        **{
            ("regulariser", name): lambda leaf, at, times=times: leaf + times * RATE * at.weight
            for name, times in REGULARISED.items()
        },
        ("clipped", "norm"): lambda leaf, at: leaf * min(1.0, 0.01 / at.norm),
        ("clipped", "value"): lambda leaf, at: np.clip(leaf, -0.005, 0.005),
        ("low-precision", "bfloat16"): lambda leaf, at: leaf.astype("bfloat16").astype(float),
        ("low-precision", "float16"): lambda leaf, at: leaf.astype("float16").astype(float),
    },
    "gradient": {
        ("leaked-slot", "output"): lambda gradient, at: leaked(gradient, -1),
        ("leaked-slot", "input"): lambda gradient, at: leaked(gradient, 0),
        ("leaked-slot", "both"): lambda gradient, at: leaked(leaked(gradient, -1), 0),
    },
}
"""How each mistake changes a quantity; `at` has other values of the same layer or leaf."""


def handwritten(architecture: Architecture, injections: Sequence[Injected]) -> Callable[..., list]:
    """A function that computes the gradient of a network's loss, with these mistakes injected."""
    f, slope = F[architecture.activation]
    depth, cross_entropy = architecture.depth, architecture.loss == "cross_entropy"
    first = f if architecture.input_layer == "active" else lambda z: z
    functions = [first, *[f] * (depth - 1), partial(softmax, axis=1) if cross_entropy else f]
    kept: list[Any] = []

    def changed(quantity, value, at=None, layer=None, kind=""):
        """The value, changed by the mistakes that concern this quantity, layer and kind of leaf."""
        for (mistake, variant), change in MISTAKES[quantity].items():
            name = (mistake, f"{kind} {variant}".strip())
            if any(one[:2] == name and layer in (None, one.layer) for one in injections):
                value = change(value, at)
        return value

    def gradient(params, images, labels):
        z, a = [], []
        for leaves, function in zip(params, functions, strict=True):
            z.append((a[-1] @ leaves["weight"].T if a else images) + leaves.get("bias", 0.0))
            a.append(function(z[-1]))
        p = a[-1]
        n, classes = p.shape
        y = changed("labels", np.eye(classes, dtype=p.dtype)[labels] if cross_entropy else labels)
        delta = p - y if cross_entropy else 2 * (p - y)
        result: list[dict[str, np.ndarray]] = [{} for _ in params]
        for layer in reversed(range(depth + 1)):
            at = SimpleNamespace(images=images, y=y, p=p, slope=slope, z=z[layer], a=a[layer])
            at.z_below, at.below, at.row = z[layer - 1], a[layer - 1], np.arange(n)[:, None]
            if layer < depth:
                delta = delta @ changed("back", params[layer + 1]["weight"], at, layer)
            if functions[layer] is f:
                delta = delta * changed("slope", slope(at.z), at, layer)
            if layer == depth:
                delta = changed(architecture.loss, delta, at) / n
            at.delta = delta = changed("delta", delta, at, layer)
            for kind, theta in params[layer].items():
                at.kind, at.theta = kind, theta
                leaf = changed(kind, counted(at, at.row >= 0), at, layer)
                result[layer][kind] = changed("leaf", leaf, at, layer, kind)
        norm = np.sqrt(sum(np.sum(leaf**2) for leaves in result for leaf in leaves.values()))
        for leaves, thetas in zip(result, params, strict=True):
            for kind, theta in thetas.items():
                at = SimpleNamespace(kind=kind, theta=theta, n=n, classes=classes, norm=norm)
                at.weight = theta * (kind == "weight")  # 0 for a bias
                leaves[kind] = changed("finished", changed("scaled", leaves[kind], at), at)
        result = changed("gradient", result)
        if any(one.mistake == "not-cleared" for one in injections):
            kept.append(result)
            result = jax.tree.map(lambda *leaves: np.sum(leaves, axis=0), *kept)
        return result

    return gradient
