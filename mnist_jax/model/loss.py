"""The losses, by name, and the conversion of images into the network's inputs."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, UInt8

from manual_grads import Architecture
from mnist_jax.model.network import Params, forward

Outputs = Float[Array, "batch outputs"]

# The loss C of each example, from outputs a and targets y. The squared error has no factor ½.
LOSSES: dict[str, Callable[[Outputs, Outputs], Float[Array, " batch"]]] = {
    "cross_entropy": lambda a, y: -jnp.sum(y * jax.nn.log_softmax(a), axis=-1),
    "squared_error": lambda a, y: jnp.sum((y - a) ** 2, axis=-1),
}


def mean_loss(
    architecture: Architecture,
    params: Params,
    images: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
    weights: Float[Array, " batch"] | None = None,
    factors: str | None = None,
) -> Float[Array, ""]:
    """The weighted mean `Σ weights · C` over the examples of the batch.

    The weights sum to 1, and padding has weight 0. By default, each of N examples has weight 1/N.
    The factors of matrix products are rounded to the dtype `factors`; None does not round them.
    """
    costs = LOSSES[architecture.loss](forward(architecture, params, images, factors), targets)
    if weights is None:
        weights = jnp.full_like(costs, 1 / len(costs))
    return jnp.sum(weights * costs)


def network_inputs(
    images: UInt8[Array, "batch height width"], dtype: DTypeLike
) -> Float[Array, "batch inputs"]:
    """Converts each image into a row of pixel values in [0, 1] of type `dtype`."""
    return images.reshape(images.shape[0], -1).astype(dtype) / 255
