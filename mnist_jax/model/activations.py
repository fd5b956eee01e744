"""The activations, by name: `f(z, negative_slope)`, elementwise.

The rectifiers are written with `where`, so that their slope at exactly 0 is the negative slope
(0 for relu); `jax.nn.leaky_relu` has slope 1 there, and 81 % of MNIST's pixels are exactly 0.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

ACTIVATIONS: dict[str, Callable[[Float[Array, "*any"], float], Float[Array, "*any"]]] = {
    "sigmoid": lambda z, negative_slope: jax.nn.sigmoid(z),
    "tanh": lambda z, negative_slope: jnp.tanh(z),
    "relu": lambda z, negative_slope: jnp.where(z > 0, z, 0),
    "leaky_relu": lambda z, negative_slope: jnp.where(z > 0, z, negative_slope * z),
    "gelu": lambda z, negative_slope: z * jax.lax.erfc(-z / 2**0.5) / 2,
}
