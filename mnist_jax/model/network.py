"""The network: initial parameters, and the forward pass that autodiff differentiates.

`params[l]` is a dict of the parameters of layer `l`. Each layer except layer 0, the input layer,
has a `"weight"` `[outputs, inputs]`. A layer with a bias has a `"bias"` `[outputs]`. Activations
are `[batch, units]`: each example is a row.

`manual_grads` has a second forward pass. The autodiff and the handwritten gradient must not share
code: a mistake in shared code would change both, and their comparison would not detect it.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from manual_grads import Architecture
from mnist_jax.model.activations import ACTIVATIONS

Params = list[dict[str, Array]]
Rows = Float[Array, "batch _"]
Matrix = Float[Array, "outputs inputs"]

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
    """Initial parameters: weights from `INITIALIZERS[initializer]`, times `scale`; biases are 0.

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


def product(a: Rows, weight: Matrix, factors: str | None = None) -> Rows:
    """`a Wᵀ` in full precision; a GPU's default rounds float32 to 10-bit mantissas.

    If `factors` names a dtype, both factors are first rounded to it, and so are the factors of the
    products `g W` and `gᵀ a` in the derivatives. The sums of products keep the dtype of `a`.
    """
    if factors is None:
        return jnp.matmul(a, weight.T, precision=lax.Precision.HIGHEST)
    return _product_of_rounded(factors, a, weight)


@partial(jax.custom_vjp, nondiff_argnums=(0,))  # JAX's own rule would round the whole gradient
def _product_of_rounded(factors: str, a: Rows, weight: Matrix) -> Rows:
    def short(x):
        # XLA may omit a conversion to a shorter format and back, but not `reduce_precision`.
        bits = jnp.finfo(factors)
        x = lax.reduce_precision(x, bits.nexp, bits.nmant)
        # few devices multiply bfloat16 with float64 sums
        return x if a.dtype == "float64" else x.astype(factors)

    return jnp.matmul(short(a), short(weight).T, preferred_element_type=a.dtype)


_product_of_rounded.defvjp(
    lambda factors, a, weight: (_product_of_rounded(factors, a, weight), (a, weight)),
    lambda factors, saved, g: (
        _product_of_rounded(factors, g, saved[1].T),
        _product_of_rounded(factors, g.T, saved[0].T),
    ),
)


def forward(
    architecture: Architecture,
    params: Params,
    images: Float[Array, "batch inputs"],
    factors: str | None = None,
) -> Float[Array, "batch outputs"]:
    """The outputs `a^L` for images x and activation f. With cross-entropy, `a^L = z^L`.

        z⁰ = x + b⁰                  a⁰ = f(z⁰), or z⁰ if the input layer is plain
        z^l = a^{l−1} W^lᵀ + b^l     a^l = f(z^l)

    If `factors` names a dtype, the factors of matrix products are rounded to it; see `product`.
    """

    def f(z):
        return ACTIVATIONS[architecture.activation](z, architecture.negative_slope)

    z = images + params[0].get("bias", 0)
    a = f(z) if architecture.input_layer == "active" else z
    for layer in range(1, architecture.depth + 1):
        z = product(a, params[layer]["weight"], factors) + params[layer].get("bias", 0)
        linear = layer == architecture.depth and architecture.loss == "cross_entropy"
        a = z if linear else f(z)
    return a
