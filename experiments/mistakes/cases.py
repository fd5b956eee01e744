"""Every mistake of the catalogue in every place that it fits, and the networks with these places.

What is injected into a handwritten gradient, and the point and the loss that it is then checked at.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import jax.numpy as jnp

from experiments.mistakes.gradient import BATCH, RATE, REGULARISED, Injected
from manual_grads import ACTIVATION_NAMES, LOSS_NAMES, Architecture
from manual_grads.check import draw, network_loss

HIDDEN = ((9,), (9, 9), (9, 9, 9))


def correct(injected: Sequence[Injected]) -> list[Injected]:
    """What is in the right gradient of the loss that these mistakes are made against."""
    regularised = any(one.variant in REGULARISED for one in injected)
    return [Injected("regulariser", "once", 0)] if regularised else []


def loss(architecture: Architecture, injected: Sequence[Injected]) -> Callable[..., Any]:
    """The loss that the mistakes are made against: with a regulariser where they are of it."""
    return regularised_loss(architecture) if correct(injected) else network_loss(architecture)


@lru_cache(maxsize=8)
def regularised_loss(architecture: Architecture) -> Callable[..., Any]:
    """The network's loss and λ/2 Σ W²."""

    def regularised(params, images, labels):
        squares = sum(jnp.sum(leaves["weight"] ** 2) for leaves in params[1:])
        return network_loss(architecture)(params, images, labels) + RATE / 2 * squares

    return regularised


def point(
    architecture: Architecture, injected: Sequence[Injected], seed: int
) -> tuple[list, tuple]:
    """Parameters and a batch; where slopes at kinks are injected, with z = 0 in that layer."""
    params, (images, labels) = draw(architecture, BATCH, seed)
    for one in injected:
        if one.mistake == "kink" and one.layer == 0:
            images[0] = -params[0]["bias"]
        elif one.mistake == "kink":
            params[one.layer]["weight"][0] = 0
            params[one.layer]["bias"][0] = 0
    return params, (images, labels)


def injections(architecture: Architecture) -> Iterator[Injected]:
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
        yield from (Injected(name, variant, depth) for variant in variants)
    if cross_entropy:
        yield Injected("softmax-diagonal", "", depth)
        yield Injected("other-loss", "no slope", depth)
        yield Injected("other-loss", "slope extra", depth)
    else:
        yield Injected("other-loss", "cross-entropy", depth)
    for layer in range(depth + 1):
        for variant in ("2", "half", "4"):
            yield Injected("factor", f"delta {variant}", layer)
        yield Injected("sign", "delta", layer)
        if layer < depth or not cross_entropy:
            yield Injected("slope-missing", "", layer)
            yield Injected("slope-at-a", "", layer)
            for variant in ("value", "sigmoid", "tanh"):
                yield Injected("slope-of-other", variant, layer)
            yield Injected("other-loss" if layer == depth else "slope-of-other", "twice", layer)
            if "relu" in architecture.activation and layer < depth:
                yield Injected("kink", "", layer)
        if layer < depth and sizes[layer] == sizes[layer + 1]:
            yield Injected("weights-not-transposed", "", layer)
        for kind in ("weight", "bias") if layer > 0 else ("bias",):
            yield Injected("sign", kind, layer)
            yield Injected("factor", kind, layer)
            yield Injected("regulariser", kind, layer)
            for variant in ("last", "first dropped", "last dropped", "first twice"):
                yield Injected("overwritten", f"{kind} {variant}", layer)
            for variant in ("rolled", "swapped"):
                yield Injected("permuted", f"{kind} {variant}", layer)
            for variant in ("zero", "parameter"):
                yield Injected("unwritten", f"{kind} {variant}", layer)
        yield Injected("wrong-axis", "bias", layer)
        if layer > 0:
            yield Injected("transposed", "weight", layer)
            yield Injected("wrong-factor", "weight z", layer)
            if sizes[layer] == sizes[layer - 1]:
                yield Injected("wrong-factor", "weight own a", layer)
        if layer == 1:
            yield Injected("wrong-factor", "weight pixels", layer)


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
