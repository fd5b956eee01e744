"""The activations `f(z)` and their slopes `f'(z)`, computed elementwise.

`slope(z, a, s)` is f'(z). It also receives `a = f(z)`, because the slopes of sigmoid and tanh are
shorter in terms of `a`:

    σ' = σ (1 − σ)   tanh' = 1 − tanh²   relu' = 1 if z > 0 else 0   leaky_relu' = 1 if z > 0 else s

    gelu = z Φ(z), gelu' = Φ(z) + z φ(z), with the normal distribution function Φ, and φ = Φ'

`s` is leaky_relu's negative slope. At z = 0, the slopes of relu and leaky_relu are those for z < 0.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax.lax import erfc
from jax.nn import sigmoid
from jaxtyping import Array, Float

Values = Float[Array, "*any"]


class Activation(NamedTuple):
    """An activation and its slope."""

    f: Callable[[Values, float], Values]
    slope: Callable[[Values, Values, float], Values]


ACTIVATION_RULES = {
    "sigmoid": Activation(lambda z, s: sigmoid(z), lambda z, a, s: a * (1 - a)),
    "tanh": Activation(lambda z, s: jnp.tanh(z), lambda z, a, s: 1 - a * a),
    "relu": Activation(lambda z, s: jnp.where(z > 0, z, 0), lambda z, a, s: _step(z, 0.0)),
    "leaky_relu": Activation(lambda z, s: jnp.where(z > 0, z, s * z), lambda z, a, s: _step(z, s)),
    "gelu": Activation(
        lambda z, s: z * normal_distribution(z),
        lambda z, a, s: normal_distribution(z) + z * normal_density(z),
    ),
}


def normal_distribution(z: Values) -> Values:
    """Φ(z) as erfc(−z/√2) / 2, which is more accurate for negative z than (1 + erf(z/√2)) / 2."""
    return erfc(-z / 2**0.5) / 2


def normal_density(z: Values) -> Values:
    """φ(z) = e^(−z²/2) / √(2π)."""
    return jnp.exp(-z * z / 2) / (2 * jnp.pi) ** 0.5


def _step(z: Values, below: float) -> Values:
    """1 where z > 0, else `below`, in the dtype of `z`."""
    return jnp.where(z > 0, jnp.ones_like(z), jnp.full_like(z, below))
