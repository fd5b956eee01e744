"""The networks, each mistake in each possible place, and the check's loss, parameters and batch."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import jax.numpy as jnp

from experiments.mistakes.gradient import BATCH, MISTAKES, RATE, REGULARISED, Injected
from manual_grads import ACTIVATION_NAMES, LOSS_NAMES, Architecture
from manual_grads.check import draw, network_loss


def correct(injected: Sequence[Injected]) -> list[Injected]:
    """The injections for a correct gradient: the regulariser if the loss has one, else none."""
    regularised = any(one.variant in REGULARISED for one in injected)
    return [Injected("regulariser", "once", 0)] if regularised else []


def loss(network: Architecture, injected: Sequence[Injected]) -> Callable[..., Any]:
    """The loss for the check, with a regulariser if a mistake is in the regulariser's gradient."""
    return regularised_loss(network) if correct(injected) else network_loss(network)


@lru_cache(maxsize=8)
def regularised_loss(network: Architecture) -> Callable[..., Any]:
    """The network's loss plus λ/2 Σ W²."""

    def regularised(params, images, labels):
        squares = sum(jnp.sum(leaves["weight"] ** 2) for leaves in params[1:])
        return network_loss(network)(params, images, labels) + RATE / 2 * squares

    return regularised


def point(network: Architecture, injected: Sequence[Injected], seed: int) -> tuple[list, tuple]:
    """Random parameters and a batch. In the layer of each `kink` mistake, some z are 0."""
    params, (images, labels) = draw(network, BATCH, seed)
    for one in injected:
        if one.mistake == "kink" and one.layer == 0:
            images[0] = -params[0]["bias"]
        elif one.mistake == "kink":
            params[one.layer]["weight"][0] = 0
            params[one.layer]["bias"][0] = 0
    return params, (images, labels)


def injections(network: Architecture) -> Iterator[Injected]:
    """Yields every mistake in every place of the network where it is possible."""
    of = MISTAKES
    once = [*of["scaled"], ("not-cleared", ""), *of["labels"], *of["finished"], *of["gradient"]]
    once.remove(("regulariser", "once"))  # this is no mistake
    for name in [*once, *of[network.loss]]:
        yield Injected(*name, network.depth)
    kinds = ("weight", "bias")
    leaf = [(name, f"{kind} {how}".strip()) for kind in kinds for name, how in of["leaf"]]
    names = [*of["delta"], *of["slope"], *of["back"], *leaf, *of["bias"], *of["weight"]]
    for layer in range(network.depth + 1):
        yield from (Injected(*name, layer) for name in names if fits(network, layer, name))


def fits(network: Architecture, layer: int, name: tuple[str, str]) -> bool:
    """Whether the mistake `name`, which concerns one layer, is possible in this layer."""
    sizes, inner = network.layer_sizes, layer < network.depth
    slopeless = not inner and network.loss == "cross_entropy"
    if (slopeless and name in MISTAKES["slope"]) or (layer == 0 and name[1].startswith("weight")):
        return False
    return {
        ("slope-of-other", "twice"): inner,
        ("other-loss", "twice"): not inner,
        ("kink", ""): inner and "relu" in network.activation,
        ("weights-not-transposed", ""): inner and sizes[layer] == sizes[layer + 1],
        ("wrong-factor", "weight own a"): sizes[layer] == sizes[layer - 1],
        ("wrong-factor", "weight pixels"): layer == 1,
    }.get(name, True)


def networks() -> list[Architecture]:
    """Networks with each activation and loss, and 1 to 3 hidden layers. Every layer has a bias."""
    hidden = ((9,), (9, 9), (9, 9, 9))
    biased = partial(Architecture, input_layer="active", biases=("input", "hidden", "output"))
    return [
        biased(layer_sizes=(11, *units, 5), activation=activation, loss=loss, label_smoothing=0.0)
        for units, loss, activation in itertools.product(hidden, LOSS_NAMES, ACTIVATION_NAMES)
    ]
