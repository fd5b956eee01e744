"""The network: initial parameters, and the forward pass that autodiff differentiates.

`params[l]` is a dict for layer `l`, where layer 0 is the input layer. Its entries are `"weight"`
`[outputs, inputs]`, except in layer 0, and `"bias"` `[outputs]` if the layer has one. Activations
are `[batch, units]`: each example is a row.

`manual_grads` has a second forward pass. The autodiff and the handwritten gradient must not share
code: a mistake in shared code would change both, and their comparison would not detect it.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from manual_grads import Architecture
from mnist_jax.model.activations import ACTIVATIONS

Params = list[dict[str, Array]]

INITIALIZERS = {
    # He et al. 2015, eq. 10: with relu, activations have the same variance in every layer
    "he": lambda key, shape, dtype: jax.random.normal(key, shape, dtype) * (2 / shape[1]) ** 0.5,
    # Glorot and Bengio 2010, eq. 16: a compromise between constant variance forward and backward
    "glorot": lambda key, shape, dtype: (
        jax.random.uniform(key, shape, dtype, -1, 1) * (6 / sum(shape)) ** 0.5
    ),
    "uniform": lambda key, shape, dtype: jax.random.uniform(key, shape, dtype, -1, 1),
}


def init(
    key: Key[Array, ""],
    architecture: Architecture,
    initializer: str = "he",
    scale: float = 1.0,
    dtype: DTypeLike = "float32",
) -> Params:
    """Draws weights from `INITIALIZERS[initializer]` and multiplies them by `scale`. Biases are 0.

    Layer `l` uses the key `fold_in(key, l)`, so its weights do not depend on the other layers.
    """
    draw, params = INITIALIZERS[initializer], []
    for layer, shapes in enumerate(architecture.leaf_shapes()):
        leaves = {}
        if "weight" in shapes:
            leaves["weight"] = scale * draw(jax.random.fold_in(key, layer), shapes["weight"], dtype)
        if "bias" in shapes:
            leaves["bias"] = jnp.zeros(shapes["bias"], dtype)
        params.append(leaves)
    return params


def forward(
    architecture: Architecture, params: Params, images: Float[Array, "batch inputs"]
) -> Float[Array, "batch outputs"]:
    """The outputs `a^L` for images x and activation f. With cross-entropy, `a^L = z^L`.

        z⁰ = x + b⁰                  a⁰ = f(z⁰), or z⁰ if the input layer is plain
        z^l = a^{l−1} W^lᵀ + b^l     a^l = f(z^l)

    Matrix products use full float32 precision. By default, a GPU would use 10-bit mantissas.
    """

    def f(z):
        return ACTIVATIONS[architecture.activation](z, architecture.negative_slope)

    z = images + params[0].get("bias", 0)
    a = f(z) if architecture.input_layer == "active" else z
    for layer in range(1, architecture.depth + 1):
        product = jnp.matmul(a, params[layer]["weight"].T, precision=lax.Precision.HIGHEST)
        z = product + params[layer].get("bias", 0)
        linear = layer == architecture.depth and architecture.loss == "cross_entropy"
        a = z if linear else f(z)
    return a
