"""Ways to train biases: correctly, not at all, and as the author's first program may have done.

leaked       the gradients of other biases are added to the last hidden unit's entry, and their own
             entries are 0, because an index was left over from a loop
left out     the forward pass does not add the biases that are trained
summed       bias gradients are sums over the batch, and weight gradients are means
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from manual_grads import Architecture, derivatives
from manual_grads.derivatives import Params

Count = int | Float[Array, ""]
OUTPUT, LAST_HIDDEN, INPUT = -1, -2, 0


class Variant(NamedTuple):
    """One way to train: whether there are biases, and whether the forward pass uses them.

    `change(gradient, examples)` turns a batch's right gradient into the one used for training.
    """

    biased: bool
    used: bool
    change: Callable[[Params, Count], Params]


def _right(gradient: Params, examples: Count) -> Params:
    return gradient


def _leaked(gradient: Params, examples: Count, owners: Sequence[int]) -> Params:
    changed = [dict(leaves) for leaves in gradient]
    leaked = sum(jnp.sum(gradient[owner]["bias"]) for owner in owners)
    changed[LAST_HIDDEN]["bias"] = gradient[LAST_HIDDEN]["bias"].at[-1].add(leaked)
    for owner in owners:
        changed[owner]["bias"] = jnp.zeros_like(gradient[owner]["bias"])
    return changed


def _summed(gradient: Params, examples: Count) -> Params:
    return [leaves | {"bias": leaves["bias"] * examples} for leaves in gradient]


_both_leaked = partial(_leaked, owners=(OUTPUT, INPUT))

VARIANTS = {
    "no biases": Variant(False, False, _right),
    "all biases, right": Variant(True, True, _right),
    "output's leaked": Variant(True, True, partial(_leaked, owners=(OUTPUT,))),
    "input's leaked": Variant(True, True, partial(_leaked, owners=(INPUT,))),
    "both leaked": Variant(True, True, _both_leaked),
    "left out": Variant(True, False, _right),
    "left out, both leaked": Variant(True, False, _both_leaked),
    "summed": Variant(True, True, _summed),
}


def architecture_of(architecture: Architecture, variant: Variant) -> Architecture:
    """The architecture with all biases, or with none if the variant has none."""
    return replace(architecture, biases=("input", "hidden", "output") if variant.biased else ())


def seen(variant: Variant, params: Params) -> Params:
    """The parameters for the forward pass; the biases are 0 if the variant leaves them out."""
    if variant.used or not variant.biased:
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

    `weights` has the weight of each example in the mean, 1/N for each of N unless given.
    """
    used = seen(variant, params)
    loss, gradient = derivatives.value_and_grad(architecture, used, images, targets, weights)
    examples = len(images) if weights is None else jnp.sum(weights > 0, dtype=images.dtype)
    return loss, variant.change(gradient, examples)
