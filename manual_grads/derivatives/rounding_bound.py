"""How far rounding alone can carry a computed gradient from the exact one, entry by entry.

A running error analysis of the backward pass (N. Higham, Accuracy and Stability of Numerical
Algorithms, 2002, chapter 3), in columns. With `u` the unit roundoff, γ_n = n u / (1 − n u) and `m`
the length of a contraction, every value v that a pass computes is within E_v of the exact one:

    E_z⁰ = u |z⁰| with an input bias, else 0
    E_z  = |W| E_a + γ_{m+1} (|W| |a| + |b|)
    E_a  and E_f' by activation, see `ERRORS`;  E_δL by loss, see `output_error`
    E_δ  = (|W|ᵀ E_δ' + γ_m |W|ᵀ |δ'|) (|f'| + E_f') + |Wᵀ δ'| (E_f' + u |f'|)
    B_W  = E_δ |a|ᵀ + |δ| E_aᵀ + E_δ E_aᵀ + γ_N |δ| |a|ᵀ
    B_b  = Σ E_δ + γ_N Σ |δ|

To each is added η, the smallest normal number, times the length of its contraction: XLA flushes
smaller ones to 0 on the CPU. For sigmoid and tanh the bound is of first order in E_z.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax.nn import softmax
from jaxtyping import Array, Float

from manual_grads.architecture import Architecture
from manual_grads.derivatives.activations import normal_density, normal_distribution
from manual_grads.derivatives.network import (
    Columns,
    Forward,
    Params,
    base_derivatives,
    forward,
    is_active,
    product,
)


class Precision(NamedTuple):
    """Unit roundoff `u`, and smallest normal number `η`."""

    u: float
    eta: float


PRECISIONS = {
    "float32": Precision(2.0**-24, 2.0**-126),
    "float64": Precision(2.0**-53, 2.0**-1022),
}


LARGEST_EXPONENT = 80.0
"""Of expm1 in float32; beyond it the bound says that no probability is off by more than 1."""


class Errors(NamedTuple):
    """`value(z, a, slope, e_z, s, p)` is E_a and `slope(z, a, slope, e_z, e_a, s, p)` is E_f'.

    `p` is the `Precision`.
    """

    value: Callable[..., Columns]
    slope: Callable[..., Columns]


def _rectifier_slope(z, a, slope, e_z, e_a, s, precision):
    """A z that rounding may have carried over the kink may have the other slope.

    So may a z of 0 whose terms cancel, but not one whose terms are all 0: of its E_z all is η's.
    The two are told apart unless all terms are below η/u³, 2⁻⁵⁴ in float32.
    """
    u, eta = precision
    rounded = (z != 0) | (e_z > eta / u**2)
    near_kink = rounded & (jnp.abs(z) <= e_z)
    return u * abs(s) + abs(1 - s) * near_kink.astype(z.dtype)


def _gelu_value(z, a, slope, e_z, s, precision):
    """|f'| E_z + 0.4 E_z² + 5u (|a| + z² φ(z)) + |z| η.

    |f''| is at most 2 φ(0) < 0.8. Rounding its argument moves Φ(z) by up to 2u |z| φ(z), and where
    Φ(z) is flushed to 0, a loses |z| η.
    """
    u, eta = precision
    size = jnp.minimum(jnp.abs(z), VANISHED)
    evaluated = 5 * u * (jnp.abs(a) + size**2 * normal_density(z)) + size * eta
    return jnp.abs(slope) * e_z + 0.4 * e_z * e_z + evaluated


def _gelu_slope(z, a, slope, e_z, e_a, s, precision):
    """0.8 E_z + 5u (Φ(z) + |z| φ(z) + |z|³ φ(z)) + |z| η, for the same reasons."""
    u, eta = precision
    size = jnp.minimum(jnp.abs(z), VANISHED)
    terms = normal_distribution(z) + (size + size**3) * normal_density(z)
    return 0.8 * e_z + 5 * u * terms + size * eta


VANISHED = 40.0
"""The |z| at which φ(z) is 0 even in float64."""

# XLA's sigmoid and tanh are off by up to 5u; its tanh's slope, of which 1 − a² keeps little, by 2u
# more than the error of a says.
ERRORS = {
    "sigmoid": Errors(
        lambda z, a, slope, e_z, s, p: jnp.abs(slope) * e_z + 5 * p.u * jnp.abs(a),
        lambda z, a, slope, e_z, e_a, s, p: (
            jnp.abs(1 - 2 * a) * e_a + e_a * e_a + 4 * p.u * jnp.abs(a)
        ),
    ),
    "tanh": Errors(
        lambda z, a, slope, e_z, s, p: jnp.abs(slope) * e_z + 5 * p.u * jnp.abs(a),
        lambda z, a, slope, e_z, e_a, s, p: 2 * jnp.abs(a) * e_a + e_a * e_a + 2 * p.u,
    ),
    "relu": Errors(
        lambda z, a, slope, e_z, s, p: e_z,
        lambda z, a, slope, e_z, e_a, s, p: _rectifier_slope(z, a, slope, e_z, e_a, 0.0, p),
    ),
    "leaky_relu": Errors(
        lambda z, a, slope, e_z, s, p: max(1.0, abs(s)) * e_z + 2 * p.u * jnp.abs(a),
        _rectifier_slope,
    ),
    "gelu": Errors(_gelu_value, _gelu_slope),
}


class ForwardErrors(NamedTuple):
    """E_z, E_a and E_f' of every layer; the number 0 where there is nothing to round.

    That is E_f' where there is no activation, and E_z and E_a of an input that is taken as it is.
    """

    z: list[Columns | float]
    a: list[Columns | float]
    slope: list[Columns | float]


def gamma(n: int, u: float) -> float:
    """γ_n: what `n` roundings in a row can do to a number, relative to it."""
    return n * u / (1 - n * u)


def forward_errors(
    architecture: Architecture, params: Params, units: Forward, precision: Precision
) -> ForwardErrors:
    """E_z, E_a and E_f' of the forward pass that computed `units`."""
    u, eta = precision
    value_error, slope_error = ERRORS[architecture.activation]
    s = architecture.negative_slope
    errors = ForwardErrors([], [], [])
    for layer, (z, a, slope) in enumerate(zip(*units, strict=True)):
        bias = jnp.abs(params[layer]["bias"][:, None]) if "bias" in params[layer] else 0.0
        if layer == 0:
            e_z = u * jnp.abs(z) + eta if "bias" in params[0] else 0.0
        else:
            weight = jnp.abs(params[layer]["weight"])
            n = weight.shape[1]
            growth = gamma(n + 1, u)
            arriving = errors.a[-1] + growth * jnp.abs(units.a[layer - 1])
            e_z = product(weight, arriving) + growth * bias + n * eta
        errors.z.append(e_z)
        if not is_active(architecture, layer):
            errors.a.append(e_z)
            errors.slope.append(0.0)
        else:
            e_a = value_error(z, a, slope, e_z, s, precision) + eta
            errors.a.append(e_a)
            errors.slope.append(slope_error(z, a, slope, e_z, e_a, s, precision) + eta)
    return errors


def output_error(
    architecture: Architecture,
    units: Forward,
    errors: ForwardErrors,
    y: Columns,
    precision: Precision,
) -> Columns:
    """E_δL, of p Σy − y or of −2 (y − a) f', each over N.

    (p expm1(2 max E_z + (2K+6) u) + 2u |p − y| + u |y|) / N                    cross-entropy
    2/N [(E_a + u |a−y|) (|f'| + E_f') + |a−y| E_f' + 3u |a−y| |f'|]            squared error

    K + 6 roundings are the softmax's, and K those of Σy, a sum of K terms, and of the product.
    """
    (u, eta), a, examples = precision, units.a[-1], y.shape[1]
    if architecture.loss == "cross_entropy":
        total = jnp.sum(y, axis=0)
        p = softmax(a, axis=0) * total
        exponent = 2 * jnp.max(errors.z[-1], axis=0) + (2 * y.shape[0] + 6) * u
        grown = p * jnp.expm1(jnp.minimum(exponent, LARGEST_EXPONENT))
        of_p = jnp.where(exponent < LARGEST_EXPONENT, grown, total)
        error = of_p + 2 * u * jnp.abs(p - y) + u * jnp.abs(y)
        return error / examples + eta
    slope, e_slope = jnp.abs(units.slope[-1]), errors.slope[-1]
    distance = jnp.abs(a - y)
    error = (errors.a[-1] + u * distance) * (slope + e_slope)
    error = error + distance * e_slope + 3 * u * distance * slope
    return 2 * error / examples + eta


def gradient_bound(
    architecture: Architecture,
    params: Params,
    images: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
    precision: str,
) -> Params:
    """B of every leaf's every entry, for a gradient computed in `precision`, of `PRECISIONS`.

    Evaluated at the values that the passes compute in the dtype of the arguments; that is itself
    accurate to a few roundings, far less than the bound's own slack.
    """
    u, eta = PRECISIONS[precision]
    y, examples = targets.T, images.shape[0]
    units = forward(architecture, params, images.T)
    deltas = base_derivatives(architecture, params, units, y)
    errors = forward_errors(architecture, params, units, PRECISIONS[precision])
    e_delta = output_error(architecture, units, errors, y, PRECISIONS[precision])
    bound: Params = [{} for _ in params]
    for layer in reversed(range(len(params))):
        if layer < architecture.depth:
            e_delta = _handed_down(params, units, errors, deltas, e_delta, layer, u, eta)
        size = jnp.abs(deltas[layer])
        if "weight" in params[layer]:
            a, e_a = jnp.abs(units.a[layer - 1]), errors.a[layer - 1]
            of_delta = product(e_delta + gamma(examples, u) * size, a.T) + examples * eta
            of_a = 0.0 if isinstance(e_a, int | float) else product(size + e_delta, e_a.T)
            bound[layer]["weight"] = of_delta + of_a
        if "bias" in params[layer]:
            total = jnp.sum(e_delta + gamma(examples, u) * size, axis=1)
            bound[layer]["bias"] = total + examples * eta
    return bound


def _handed_down(
    params: Params,
    units: Forward,
    errors: ForwardErrors,
    deltas: list[Columns],
    e_above: Columns,
    layer: int,
    u: float,
    eta: float,
) -> Columns:
    """E_δ of `layer`, from E_δ' of the layer above it."""
    weight, above = params[layer + 1]["weight"], deltas[layer + 1]
    m = weight.shape[0]
    error = product(jnp.abs(weight).T, e_above + gamma(m, u) * jnp.abs(above)) + m * eta
    slope, e_slope = jnp.abs(units.slope[layer]), errors.slope[layer]
    size = jnp.abs(product(weight.T, above))
    return error * (slope + e_slope) + size * (e_slope + u * slope) + eta
