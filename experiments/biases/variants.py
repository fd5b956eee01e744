"""Ways to train biases: correctly, not at all, and as the author's first program may have done.

leaked       the bias gradients of some layers are added to the bias gradient of the last hidden
             unit, and are then set to 0, as if the program used an index left over from a loop
left out     biases are trained, but the forward pass does not add them
summed       bias gradients are sums over the batch, and weight gradients are means
"""

from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from manual_grads import Architecture, derivatives
from manual_grads.derivatives import Params

OUTPUT, LAST_HIDDEN, INPUT = -1, -2, 0


class Variant(NamedTuple):
    """A way to train: whether biases exist and are added in the forward pass, and the mistakes."""

    biased: bool = True
    used: bool = True
    leaked: tuple[int, ...] = ()
    summed: bool = False


VARIANTS = {
    "no biases": Variant(biased=False),
    "all biases, right": Variant(),
    "output's leaked": Variant(leaked=(OUTPUT,)),
    "input's leaked": Variant(leaked=(INPUT,)),
    "both leaked": Variant(leaked=(OUTPUT, INPUT)),
    "left out": Variant(used=False),
    "left out, both leaked": Variant(used=False, leaked=(OUTPUT, INPUT)),
    "summed": Variant(summed=True),
}


def architecture_of(architecture: Architecture, variant: Variant) -> Architecture:
    """The architecture with a bias in every layer, or in no layer if the variant has no biases."""
    return replace(architecture, biases=("input", "hidden", "output") if variant.biased else ())


def seen(variant: Variant, params: Params) -> Params:
    """The parameters for the forward pass; the biases are 0 if the variant leaves them out."""
    if variant.used:
        return params
    return [leaves | {"bias": jnp.zeros_like(leaves["bias"])} for leaves in params]


def value_and_grad(
    architecture: Architecture,
    variant: Variant,
    params: Params,
    images: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
    weights: Float[Array, " batch"] | None = None,
) -> tuple[Float[Array, ""], Params]:
    """The loss of the variant's forward pass, and the gradient that the variant trains with.

    `weights` has the weight of each example in the mean; by default, 1/N for each of N examples.
    """
    used = seen(variant, params)
    loss, gradient = derivatives.value_and_grad(architecture, used, images, targets, weights)
    examples = len(images) if weights is None else jnp.sum(weights > 0, dtype=images.dtype)
    changed = [dict(leaves) for leaves in gradient]
    if variant.leaked:
        leaked = sum(jnp.sum(gradient[owner]["bias"]) for owner in variant.leaked)
        changed[LAST_HIDDEN]["bias"] = gradient[LAST_HIDDEN]["bias"].at[-1].add(leaked)
    for owner in variant.leaked:
        changed[owner]["bias"] = jnp.zeros_like(gradient[owner]["bias"])
    if variant.summed:
        changed = [leaves | {"bias": leaves["bias"] * examples} for leaves in changed]
    return loss, changed
