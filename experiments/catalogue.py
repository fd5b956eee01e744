"""Every mistake of the catalogue in every place that it fits, and the networks with these places.

What is planted in a handwritten gradient, and the point and the loss that it is then checked at.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import jax.numpy as jnp

from experiments.planting import BATCH, RATE, REGULARISED, Plant
from manual_grads import ACTIVATION_NAMES, LOSS_NAMES, Architecture
from manual_grads.check import draw, network_loss

HIDDEN = ((9,), (9, 9), (9, 9, 9))


def correct(planted: Sequence[Plant]) -> list[Plant]:
    """What is in the right gradient of the loss that these mistakes are made against."""
    regularised = any(plant.variant in REGULARISED for plant in planted)
    return [Plant("regulariser", "once", 0)] if regularised else []


def loss(architecture: Architecture, planted: Sequence[Plant]) -> Callable[..., Any]:
    """The loss that the mistakes are made against: with a regulariser where they are of it."""
    return regularised_loss(architecture) if correct(planted) else network_loss(architecture)


@lru_cache(maxsize=8)
def regularised_loss(architecture: Architecture) -> Callable[..., Any]:
    """The network's loss and λ/2 Σ W²."""

    def regularised(params, images, labels):
        squares = sum(jnp.sum(leaves["weight"] ** 2) for leaves in params[1:])
        return network_loss(architecture)(params, images, labels) + RATE / 2 * squares

    return regularised


def point(architecture: Architecture, planted: Sequence[Plant], seed: int) -> tuple[list, tuple]:
    """Parameters and a batch; where slopes at kinks are planted, with z = 0 in that layer."""
    params, (images, labels) = draw(architecture, BATCH, seed)
    for plant in planted:
        if plant.mistake == "kink" and plant.layer == 0:
            images[0] = -params[0]["bias"]
        elif plant.mistake == "kink":
            params[plant.layer]["weight"][0] = 0
            params[plant.layer]["bias"][0] = 0
    return params, (images, labels)


def plants(architecture: Architecture) -> Iterator[Plant]:
    """Every mistake in every place of the network that it fits."""
    depth, sizes = architecture.depth, architecture.layer_sizes
    cross_entropy = architecture.loss == "cross_entropy"
    for name, variants in {
        "sum-not-mean": [""],
        "averaged-twice": ["batch", "classes"],
        "bias-scale": ["bias", "weight"],
        "nominal-batch": [""],
        "not-cleared": [""],
        "labels-shifted": [""],
        "one-hot-missing": [""],
        "regulariser": ["weights", "all", *list(REGULARISED)[1:]],
        "clipped": ["norm", "value"],
        "low-precision": ["bfloat16", "float16"],
        "leaked-slot": ["output", "input", "both"],
    }.items():
        yield from (Plant(name, variant, depth) for variant in variants)
    if cross_entropy:
        yield Plant("softmax-diagonal", "", depth)
        yield Plant("other-loss", "no slope", depth)
        yield Plant("other-loss", "slope extra", depth)
    else:
        yield Plant("other-loss", "cross-entropy", depth)
    for layer in range(depth + 1):
        for variant in ("2", "half", "4"):
            yield Plant("factor", f"delta {variant}", layer)
        yield Plant("sign", "delta", layer)
        if layer < depth or not cross_entropy:
            yield Plant("slope-missing", "", layer)
            yield Plant("slope-at-a", "", layer)
            for variant in ("value", "sigmoid", "tanh"):
                yield Plant("slope-of-other", variant, layer)
            yield Plant("other-loss" if layer == depth else "slope-of-other", "twice", layer)
            if "relu" in architecture.activation and layer < depth:
                yield Plant("kink", "", layer)
        if layer < depth and sizes[layer] == sizes[layer + 1]:
            yield Plant("weights-not-transposed", "", layer)
        for kind in ("weight", "bias") if layer > 0 else ("bias",):
            yield Plant("sign", kind, layer)
            yield Plant("factor", kind, layer)
            yield Plant("regulariser", kind, layer)
            for variant in ("last", "first dropped", "last dropped", "first twice"):
                yield Plant("overwritten", f"{kind} {variant}", layer)
            for variant in ("rolled", "swapped"):
                yield Plant("permuted", f"{kind} {variant}", layer)
            for variant in ("zero", "parameter"):
                yield Plant("unwritten", f"{kind} {variant}", layer)
        yield Plant("wrong-axis", "bias", layer)
        if layer > 0:
            yield Plant("transposed", "weight", layer)
            yield Plant("wrong-factor", "weight z", layer)
            if sizes[layer] == sizes[layer - 1]:
                yield Plant("wrong-factor", "weight own a", layer)
        if layer == 1:
            yield Plant("wrong-factor", "weight pixels", layer)


def networks() -> list[Architecture]:
    """Each activation and loss, with 1, 2 and 3 hidden layers, all active and biased."""
    return [
        Architecture(
            layer_sizes=(11, *hidden, 5),
            activation=activation,
            loss=loss,
            input_layer="active",
            biases=("input", "hidden", "output"),
            label_smoothing=0.0,
        )
        for hidden, loss, activation in itertools.product(HIDDEN, LOSS_NAMES, ACTIVATION_NAMES)
    ]
