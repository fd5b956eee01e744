"""The losses, and their derivatives with respect to the network's outputs.

One example has a column of outputs `a` and a column of targets `y`:

    cross-entropy    C = −Σ_k y_k log p_k,  p = softmax(a)     ∂C/∂a_k = p_k Σ_i y_i − y_k
    squared error    C = Σ_k (y_k − a_k)²                       ∂C/∂a_k = −2 (y_k − a_k)

The logarithm is natural, and squared error has no factor ½. The derivative of the cross-entropy
follows from C = −Σ_k y_k a_k + (Σ_i y_i) log Σ_k e^{a_k}. If Σ_i y_i = 1, the derivative is p − y.
The code does not use p − y, because smoothed targets in float32 do not sum exactly to 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax.nn import log_softmax, softmax
from jaxtyping import Array, Float

Columns = Float[Array, "outputs batch"]


class Loss(NamedTuple):
    """The cost `C` of each example, and its derivative with respect to each output."""

    cost: Callable[[Columns, Columns], Float[Array, " batch"]]
    derivative: Callable[[Columns, Columns], Columns]


LOSS_RULES = {
    "cross_entropy": Loss(
        lambda a, y: -jnp.sum(y * log_softmax(a, axis=0), axis=0),
        lambda a, y: softmax(a, axis=0) * jnp.sum(y, axis=0) - y,
    ),
    "squared_error": Loss(
        lambda a, y: jnp.sum((y - a) ** 2, axis=0),
        lambda a, y: -2 * (y - a),
    ),
}
