"""Compares two gradients. Correct gradients with rounding errors up to B differ by at most 2B."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Tree = Any


class Disagreement(NamedTuple):
    """The largest difference in each leaf. Each field has the structure of the gradients.

    M is the handwritten gradient, and G the reference. `largest` is max |M − G|, and `of_bound` is
    max |M − G| / 2B; the leaf disagrees if `of_bound` is above 1. `entry` is where |M − G| / 2B is
    largest, as an index into the flattened leaf. The last two fields are M and G at this entry.
    """

    largest: Tree
    of_bound: Tree
    entry: Tree
    handwritten: Tree
    reference: Tree


def compare(handwritten: Tree, reference: Tree, bound: Tree) -> Disagreement:
    """Compares two gradients; `bound` has the largest possible rounding error B of each entry.

    All three arguments have the same structure and shapes.
    """
    worst = jax.tree.map(_worst, handwritten, reference, bound)
    return jax.tree.transpose(jax.tree.structure(reference), None, worst)


def _worst(
    m: Float[Array, "*shape"], g: Float[Array, "*shape"], b: Float[Array, "*shape"]
) -> Disagreement:
    """The `Disagreement` of one leaf. `entry` is the first of equally bad ones. NaN counts as ∞."""
    error = jnp.abs(m - g).ravel()
    of_bound = error / (2 * b.ravel())
    of_bound = jnp.where(jnp.isnan(of_bound), jnp.inf, of_bound)
    worst = jnp.max(of_bound)
    # Two reductions replace argmax, which takes as long as the rest of the comparison.
    places = jnp.arange(of_bound.size)
    entry = jnp.min(jnp.where(of_bound == worst, places, of_bound.size))
    return Disagreement(jnp.max(error), worst, entry, m.ravel()[entry], g.ravel()[entry])
