"""Ways to train biases: rightly, not at all, and as the author's first program did or might have.

leaked       derivatives of other biases are added to the last hidden unit's, and their own
             slots stay 0: an index left over from a loop
left out     the forward pass does not use the biases that are being trained
summed       bias derivatives are summed over the batch, those of the weights averaged
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from manual_grads import Architecture, derivatives
from manual_grads.derivatives import Params

OUTPUT, LAST_HIDDEN, INPUT = -1, -2, 0


class Variant(NamedTuple):
    """Whether there are biases, whether the forward pass uses them, and what the gradient becomes.

    `change(gradient, examples)` is made of the right gradient of a batch of so many examples.
    """

    biased: bool
    used: bool
    change: Callable[[Params, int], Params]


def _right(gradient: Params, examples: int) -> Params:
    return gradient


def _leaked(owners: Sequence[int]) -> Callable[[Params, int], Params]:
    def change(gradient, examples):
        changed = [dict(leaves) for leaves in gradient]
        leaked = sum(jnp.sum(gradient[owner]["bias"]) for owner in owners)
        changed[LAST_HIDDEN]["bias"] = gradient[LAST_HIDDEN]["bias"].at[-1].add(leaked)
        for owner in owners:
            changed[owner]["bias"] = jnp.zeros_like(gradient[owner]["bias"])
        return changed

    return change


def _summed(gradient: Params, examples: int) -> Params:
    return [
        {kind: leaf * examples if kind == "bias" else leaf for kind, leaf in leaves.items()}
        for leaves in gradient
    ]


VARIANTS = {
    "no biases": Variant(False, False, _right),
    "all biases, right": Variant(True, True, _right),
    "output's leaked": Variant(True, True, _leaked([OUTPUT])),
    "input's leaked": Variant(True, True, _leaked([INPUT])),
    "both leaked": Variant(True, True, _leaked([OUTPUT, INPUT])),
    "left out": Variant(True, False, _right),
    "left out, both leaked": Variant(True, False, _leaked([OUTPUT, INPUT])),
    "summed": Variant(True, True, _summed),
}


def architecture_of(architecture: Architecture, variant: Variant) -> Architecture:
    """The architecture with all biases, or with none."""
    return replace(architecture, biases=("input", "hidden", "output") if variant.biased else ())


def seen(variant: Variant, params: Params) -> Params:
    """The parameters that the forward pass uses: with biases of 0 where it leaves them out."""
    if variant.used:
        return params
    return [
        {kind: leaf if kind == "weight" else jnp.zeros_like(leaf) for kind, leaf in leaves.items()}
        for leaves in params
    ]


def value_and_grad(
    architecture: Architecture,
    variant: Variant,
    params: Params,
    images: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
) -> tuple[Float[Array, ""], Params]:
    """The loss that the variant's forward pass has, and the gradient that it trains with."""
    loss, gradient = derivatives.value_and_grad(
        architecture, seen(variant, params), images, targets
    )
    return loss, variant.change(gradient, len(images))
