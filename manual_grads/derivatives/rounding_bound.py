"""An upper bound B on the rounding error of a computed gradient, for each of its entries.

The method is running error analysis (N. Higham, Accuracy and Stability of Numerical Algorithms,
2002, chapter 3). Examples are columns, `u` is the unit roundoff, γ_n = n u / (1 − n u), m is the
number of terms in each sum of a matrix product, and N the number of examples. E_v bounds the error
of v. In the formula of E_δ, W, δ⁺ and E_δ⁺ are those of the layer above. In the formulas of E_z and
B_W, `a` and E_a are those of the layer below:

    E_z⁰ = u |z⁰| with an input bias, else 0
    E_z  = |W| E_a + γ_{m+1} (|W| |a| + |b|)
    E_a  and E_f' depend on the activation, see `ERRORS`;  E_δL on the loss, see `output_error`
    E_δ  = (|W|ᵀ E_δ⁺ + γ_m |W|ᵀ |δ⁺|) (|f'| + E_f') + |Wᵀ δ⁺| (E_f' + u |f'|)
    B_W  = E_δ |a|ᵀ + |δ| E_aᵀ + E_δ E_aᵀ + γ_N |δ| |a|ᵀ
    B_b  = Σ E_δ + γ_N Σ |δ|

If the factors of matrix products are first rounded to a shorter format, B excludes this rounding,
because the compared gradients round equal factors to equal numbers. But a factor with an error can
be rounded to another number than the exact factor; B includes this difference. In this case, W, a,
δ, E_a and E_δ stand for rounded values wherever a matrix product contains them; see `factor`.

The code also adds η, the smallest normal number, once for each term of a sum, because XLA replaces
smaller numbers by 0 on the CPU.
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
    Format,
    Forward,
    Params,
    base_derivatives,
    equal_weights,
    forward,
    is_active,
    product,
    rounded,
)


class Precision(NamedTuple):
    """The unit roundoff `u`, and the smallest normal number `eta` (η)."""

    u: float
    eta: float


PRECISIONS = {
    "float32": Precision(2.0**-24, 2.0**-126),
    "float64": Precision(2.0**-53, 2.0**-1022),
}


LARGEST_EXPONENT = 80.0
"""The largest argument of expm1. If the argument reaches it, the error of p Σy is set to Σy."""


class Errors(NamedTuple):
    """Functions for E_a and E_f'; `s` is the negative slope, and `p` the `Precision` used.

    `value(z, a, slope, e_z, s, p)` is E_a and `slope(z, a, slope, e_z, e_a, s, p)` is E_f'.
    """

    value: Callable[..., Columns]
    slope: Callable[..., Columns]


def _rectifier_slope(z, a, slope, e_z, e_a, s, precision):
    """E_f' of a rectifier: if rounding can change the sign of z, the slope can be wrong by |1 − s|.

    If terms cancel, a computed z of 0 can be wrong. If all terms are 0, it cannot be wrong: then
    E_z is only the η added for underflow. If all terms are below η/u³, which is 2⁻⁵⁴ in float32,
    the code cannot distinguish these two causes of z = 0.
    """
    u, eta = precision
    rounded = (z != 0) | (e_z > eta / u**2)
    near_kink = rounded & (jnp.abs(z) <= e_z)
    return u * abs(s) + abs(1 - s) * near_kink.astype(z.dtype)


def _gelu_value(z, a, slope, e_z, s, precision):
    """E_a = |f'| E_z + 0.4 E_z² + 5u (|a| + z² φ(z)) + |z| η.

    0.4 bounds |f''| / 2, because |f''| ≤ 2 φ(0) < 0.8. Rounding the argument of Φ changes
    Φ(z) by up to 2u |z| φ(z). If Φ(z) underflows to 0, the error of a is up to |z| η.
    """
    u, eta = precision
    size = jnp.minimum(jnp.abs(z), VANISHED)
    evaluated = 5 * u * (jnp.abs(a) + size**2 * normal_density(z)) + size * eta
    return jnp.abs(slope) * e_z + 0.4 * e_z * e_z + evaluated


def _gelu_slope(z, a, slope, e_z, e_a, s, precision):
    """E_f' = 0.8 E_z + 5u (Φ(z) + |z| φ(z) + |z|³ φ(z)) + |z| η, derived as in `_gelu_value`."""
    u, eta = precision
    size = jnp.minimum(jnp.abs(z), VANISHED)
    terms = normal_distribution(z) + (size + size**3) * normal_density(z)
    return 0.8 * e_z + 5 * u * terms + size * eta


VANISHED = 40.0
"""If |z| is at least this, φ(z) is 0 even in float64."""

# XLA computes sigmoid and tanh with a relative error of up to 5u. For tanh, 1 − a² then adds an
# absolute error of up to 2u, because it subtracts nearly equal numbers. The factors of E_z² (0.05,
# 0.39) bound |f''| / 2, whose maximum is 1/(12√3) for sigmoid and 2/(3√3) for tanh.
ERRORS = {
    "sigmoid": Errors(
        lambda z, a, slope, e_z, s, p: jnp.abs(slope) * e_z + 0.05 * e_z**2 + 5 * p.u * jnp.abs(a),
        lambda z, a, slope, e_z, e_a, s, p: (
            jnp.abs(1 - 2 * a) * e_a + e_a * e_a + 4 * p.u * jnp.abs(a)
        ),
    ),
    "tanh": Errors(
        lambda z, a, slope, e_z, s, p: jnp.abs(slope) * e_z + 0.39 * e_z**2 + 5 * p.u * jnp.abs(a),
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
    """E_z, E_a and E_f' of every layer, or the number 0 where nothing is rounded.

    E_z is 0 in an input layer without bias. If a layer has no activation, E_f' is 0 and E_a is E_z.
    """

    z: list[Columns | float]
    a: list[Columns | float]
    slope: list[Columns | float]


def gamma(n: int, u: float) -> float:
    """γ_n, an upper bound on the relative error that `n` successive roundings cause."""
    return n * u / (1 - n * u)


def factor(
    x: Columns, error: Columns | float, u: float, factors: Format
) -> tuple[Columns, Columns | float]:
    """A factor of a matrix product and a bound on its error, both after rounding to `factors`.

    With E = `error`, the exact factor is between x − E and x + E. Rounding is monotonic, so the
    rounded exact factor is between the rounded values of x − E and x + E. These are computed in the
    dtype of x, with rounding errors, for which 2u |x| is added to E. If E is a number and not an
    array, x is exact.
    """
    middle = rounded(x, factors)
    if factors is None or isinstance(error, int | float):
        return middle, error
    error = error + 2 * u * jnp.abs(x)
    above, below = rounded(x + error, factors), rounded(x - error, factors)
    return middle, jnp.maximum(above - middle, middle - below)


def forward_errors(
    architecture: Architecture,
    params: Params,
    units: Forward,
    precision: Precision,
    factors: Format = None,
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
            weight = jnp.abs(rounded(params[layer]["weight"], factors))
            n = weight.shape[1]
            growth = gamma(n + 1, u)
            inputs, e_inputs = factor(units.a[layer - 1], errors.a[-1], u, factors)
            of_inputs = e_inputs + growth * jnp.abs(inputs)
            e_z = product(weight, of_inputs) + growth * bias + n * eta
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
    weights: Float[Array, " batch"],
    precision: Precision,
) -> Columns:
    """E_δL, which bounds the error of δ^L = ω (p Σy − y) or −2 ω (y − a) f'; ω is as in `network`.

    ω (p expm1(2 max E_z + (2K+6) u) + 3u |p − y| + u |y|)                      cross-entropy
    2 ω [(E_a + u |a−y|) (|f'| + E_f') + |a−y| E_f' + 4u |a−y| |f'|]            squared error

    K is the number of outputs. The softmax makes K + 6 roundings, and p Σy makes K more: K − 1 in
    the sum and 1 in the product. The bound includes one rounding of ω itself, such as of 1/N.
    """
    (u, eta), a = precision, units.a[-1]
    if architecture.loss == "cross_entropy":
        total = jnp.sum(y, axis=0)
        p = softmax(a, axis=0) * total
        exponent = 2 * jnp.max(errors.z[-1], axis=0) + (2 * y.shape[0] + 6) * u
        grown = p * jnp.expm1(jnp.minimum(exponent, LARGEST_EXPONENT))
        of_p = jnp.where(exponent < LARGEST_EXPONENT, grown, total)
        error = of_p + 3 * u * jnp.abs(p - y) + u * jnp.abs(y)
        return error * weights + eta
    slope, e_slope = jnp.abs(units.slope[-1]), errors.slope[-1]
    distance = jnp.abs(a - y)
    error = (errors.a[-1] + u * distance) * (slope + e_slope)
    error = error + distance * e_slope + 4 * u * distance * slope
    return 2 * error * weights + eta


def gradient_bound(
    architecture: Architecture,
    params: Params,
    images: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
    weights: Float[Array, " batch"] | None = None,
    factors: Format = None,
    *,
    precision: str,
) -> Params:
    """The bound B of each entry, for a gradient computed in `precision`, a key of `PRECISIONS`.

    `weights` and `factors` have the same meaning and default as in `network.value_and_grad`.

    The bound is itself computed with rounding, in the dtype of the arguments. Its relative error is
    a few u, which is negligible because the bound is much larger than typical errors.
    """
    u, eta = PRECISIONS[precision]
    y, examples = targets.T, images.shape[0]
    if weights is None:
        weights = equal_weights(images)
    units = forward(architecture, params, images.T, factors)
    deltas = base_derivatives(architecture, params, units, y, weights, factors)
    errors = forward_errors(architecture, params, units, PRECISIONS[precision], factors)
    e_delta = output_error(architecture, units, errors, y, weights, PRECISIONS[precision])
    bound: Params = [{} for _ in params]
    for layer in reversed(range(len(params))):
        if layer < architecture.depth:
            e_delta = _backpropagated_error(
                params, units, errors, deltas, e_delta, layer, PRECISIONS[precision], factors
            )
        if "weight" in params[layer]:
            delta, e = factor(deltas[layer], e_delta, u, factors)
            a, e_a = factor(units.a[layer - 1], errors.a[layer - 1], u, factors)
            size = jnp.abs(delta)
            of_delta = product(e + gamma(examples, u) * size, jnp.abs(a).T) + examples * eta
            of_a = 0.0 if isinstance(e_a, int | float) else product(size + e, e_a.T)
            bound[layer]["weight"] = of_delta + of_a
        if "bias" in params[layer]:
            total = jnp.sum(e_delta + gamma(examples, u) * jnp.abs(deltas[layer]), axis=1)
            bound[layer]["bias"] = total + examples * eta
    return bound


def _backpropagated_error(
    params: Params,
    units: Forward,
    errors: ForwardErrors,
    deltas: list[Columns],
    e_above: Columns | float,
    layer: int,
    precision: Precision,
    factors: Format,
) -> Columns:
    """E_δ of `layer`, computed from E_δ' of the layer above it."""
    u, eta = precision
    weight = rounded(params[layer + 1]["weight"], factors)
    above, e_above = factor(deltas[layer + 1], e_above, u, factors)
    m = weight.shape[0]
    error = product(jnp.abs(weight).T, e_above + gamma(m, u) * jnp.abs(above)) + m * eta
    slope, e_slope = jnp.abs(units.slope[layer]), errors.slope[layer]
    size = jnp.abs(product(weight.T, above))
    return error * (slope + e_slope) + size * (e_slope + u * slope) + eta
