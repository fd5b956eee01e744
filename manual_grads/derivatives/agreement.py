"""Comparison of two gradients: they agree if every entry differs by at most 2B."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Tree = Any


class Disagreement(NamedTuple):
    """The largest difference in each leaf. Each field has the structure of the gradients.

    `largest` is max |M − G|. `of_bound` is max |M − G| / 2B; the leaf disagrees if it is above 1.
    `entry` is the index, in the flattened leaf, of the entry with that maximum of |M − G| / 2B.
    `handwritten` and `reference` are the values of M and G at this entry.
    """

    largest: Tree
    of_bound: Tree
    entry: Tree
    handwritten: Tree
    reference: Tree


def compare(handwritten: Tree, reference: Tree, bound: Tree) -> Disagreement:
    """Compares gradient M with gradient G, each of which is within B of the exact gradient.

    All three arguments have the same structure and shapes.
    """
    worst = jax.tree.map(_worst, handwritten, reference, bound)
    return jax.tree.transpose(jax.tree.structure(reference), None, worst)


def _worst(
    m: Float[Array, "*shape"], g: Float[Array, "*shape"], b: Float[Array, "*shape"]
) -> Disagreement:
    """The `Disagreement` of one leaf, at the first entry if several tie; NaN counts as infinite."""
    error = jnp.abs(m - g).ravel()
    of_bound = error / (2 * b.ravel())
    of_bound = jnp.where(jnp.isnan(of_bound), jnp.inf, of_bound)
    worst = jnp.max(of_bound)
    # Two simple reductions replace argmax, which would take as long as all the rest together.
    places = jnp.arange(of_bound.size)
    entry = jnp.min(jnp.where(of_bound == worst, places, of_bound.size))
    return Disagreement(jnp.max(error), worst, entry, m.ravel()[entry], g.ravel()[entry])
