"""Each loss beside its derivative by the network's outputs, one rule a line.

Of one example, outputs `a` and targets `y` in a column each:

    cross-entropy    C = −Σ_k y_k log p_k,  p = softmax(a)     ∂C/∂a_k = p_k Σ_i y_i − y_k
    squared error    C = Σ_k (y_k − a_k)²                       ∂C/∂a_k = −2 (y_k − a_k)

Natural log; a sum over outputs, no ½. Cross-entropy's outputs are `z^L`: written out, its C is
−Σ_k y_k a_k + (Σ_i y_i) log Σ_k e^{a_k}. Where the targets of an example sum to 1 its derivative is
the familiar p − y; smoothed targets rounded to float32 sum to 1 only nearly, and float64 sees that.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax.nn import log_softmax, softmax
from jaxtyping import Array, Float

Columns = Float[Array, "outputs batch"]


class Loss(NamedTuple):
    """The cost `C` of each example, and its derivative by each output."""

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
