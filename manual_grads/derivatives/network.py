"""The handwritten forward and backward pass of the network. Arrays are `[units, batch]`.

    z⁰ = x + b⁰                  a⁰ = f(z⁰), or z⁰ if the input layer is plain
    z^l = W^l a^{l−1} + b^l      a^l = f(z^l), or z^L if the loss is cross-entropy

δ^l (in the document: base derivative) is the derivative of the mean cost with respect to z^l. The
mean cost of a batch is Σ ω C, with the cost C and weight ω of each example: ω is 1/N for each of N
examples, and 0 for examples that only pad the batch. In δ^L, C and ω are those of one example:

    δ^L = ω ∂C/∂a^L ⊙ f'(z^L)                  δ^l = (W^{l+1}ᵀ δ^{l+1}) ⊙ f'(z^l)

f' is 1 in a layer without activation. Below, C is the mean cost; the names are the document's:

    ∂C/∂b^l = Σ_examples δ^l                   Output, Hidden and Input Layer bias derivatives
    ∂C/∂W^l = δ^l (a^{l−1})ᵀ                   both kinds of weight derivatives, see `document`
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax.lax import Precision, reduce_precision
from jaxtyping import Array, Float

from manual_grads.architecture import Architecture
from manual_grads.derivatives.activations import ACTIVATION_RULES
from manual_grads.derivatives.loss import LOSS_RULES

Params = list[dict[str, Array]]
Columns = Float[Array, "_ batch"]
Format = str | None
"""The format, such as bfloat16, to which factors of matrix products are rounded, if any."""


def equal_weights(images: Float[Array, "batch inputs"]) -> Float[Array, " batch"]:
    """The weight 1/N of each of the N examples, in the dtype of the images."""
    return jnp.full_like(images, 1 / len(images), shape=len(images))


class Forward(NamedTuple):
    """The values of each layer before (`z`) and after (`a`) its activation, and the slopes f'(z).

    The slope of a layer without activation is the number 1.
    """

    z: list[Columns]
    a: list[Columns]
    slope: list[Columns | float]


def rounded(x: Float[Array, "*any"], factors: Format) -> Float[Array, "*any"]:
    """`x` in its dtype, rounded to the format `factors`; if `factors` is None, `x` itself."""
    if factors is None:
        return x
    # XLA may omit a conversion to a shorter format and back, but not `reduce_precision`.
    return reduce_precision(x, jnp.finfo(factors).nexp, jnp.finfo(factors).nmant)


def product(
    left: Float[Array, "m n"], right: Float[Array, "n k"], factors: Format = None
) -> Float[Array, "m k"]:
    """The matrix product in full precision. JAX's default on GPUs rounds to 10-bit mantissas.

    If the format `factors` is given, both factors are first rounded to it, but the sums are not.
    """
    dtype, left, right = left.dtype, rounded(left, factors), rounded(right, factors)
    if factors is None or dtype == "float64":  # few devices multiply bfloat16 with float64 sums
        return jnp.matmul(left, right, precision=Precision.HIGHEST)
    return jnp.matmul(left.astype(factors), right.astype(factors), preferred_element_type=dtype)


def is_active(architecture: Architecture, layer: int) -> bool:
    """Whether layer `layer` has an activation."""
    if layer == 0:
        return architecture.input_layer == "active"
    return layer < architecture.depth or architecture.loss == "squared_error"


def forward(
    architecture: Architecture, params: Params, x: Columns, factors: Format = None
) -> Forward:
    """Computes the values of all layers for the examples in the columns of `x`.

    If `factors` names a number format, such as bfloat16, `product` rounds factors to it.

    `mnist_jax` has a forward pass too, which this function must not use: the tests compare this
    package with autodiff of `mnist_jax`, and would not detect a mistake in code that both share.
    """
    f, slope_at = ACTIVATION_RULES[architecture.activation]
    units = Forward([], [], [])
    for layer, leaves in enumerate(params):
        z = product(leaves["weight"], units.a[-1], factors) if layer > 0 else x
        if "bias" in leaves:
            z = z + leaves["bias"][:, None]
        active = is_active(architecture, layer)
        a = f(z, architecture.negative_slope) if active else z
        units.z.append(z)
        units.a.append(a)
        units.slope.append(slope_at(z, a, architecture.negative_slope) if active else 1.0)
    return units


def base_derivatives(
    architecture: Architecture,
    params: Params,
    units: Forward,
    y: Columns,
    weights: Float[Array, " batch"],
    factors: Format = None,
) -> list[Columns]:
    """`δ^l` of every layer, starting with layer 0. `weights` has the ω of each example.

    Only a bias of the input layer uses `δ^0`. Without this bias, the compiler removes `δ^0`.
    """
    by_output = LOSS_RULES[architecture.loss].derivative(units.a[-1], y) * weights
    deltas = [by_output * units.slope[-1]]
    for layer in reversed(range(architecture.depth)):
        backpropagated = product(params[layer + 1]["weight"].T, deltas[0], factors)
        deltas.insert(0, backpropagated * units.slope[layer])
    return deltas


def leaf_derivatives(
    params: Params, units: Forward, deltas: list[Columns], factors: Format = None
) -> Params:
    """The derivatives `δ^l (a^{l−1})ᵀ` of W^l and `Σ δ^l` of b^l, in the structure of `params`."""
    gradient: Params = [{} for _ in params]
    for layer, delta in enumerate(deltas):
        if layer > 0:
            gradient[layer]["weight"] = product(delta, units.a[layer - 1].T, factors)
        if "bias" in params[layer]:
            gradient[layer]["bias"] = jnp.sum(delta, axis=1)
    return gradient


def value_and_grad(
    architecture: Architecture,
    params: Params,
    images: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
    weights: Float[Array, " batch"] | None = None,
    factors: Format = None,
) -> tuple[Float[Array, ""], Params]:
    """The mean loss `Σ ω C` of the batch, and its gradient in the structure of `params`.

    `images` and `targets` have one example per row; this function transposes them. `weights` has
    the ω of each example; the sum of all ω is 1. By default, ω is 1/N for each of N examples.
    If `factors` names a number format, such as bfloat16, `product` rounds factors to it.
    """
    x, y = images.T, targets.T
    if weights is None:
        weights = equal_weights(images)
    units = forward(architecture, params, x, factors)
    loss = jnp.sum(weights * LOSS_RULES[architecture.loss].cost(units.a[-1], y))
    deltas = base_derivatives(architecture, params, units, y, weights, factors)
    return loss, leaf_derivatives(params, units, deltas, factors)
