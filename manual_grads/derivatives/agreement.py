"""Whether two gradients agree: entry by entry, within twice the bound that each is within."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Tree = Any


class Disagreement(NamedTuple):
    """What is worst in each leaf; each field has the structure of the gradients.

    `largest` is max |M − G| over the leaf's entries, `of_bound` the maximum of |M − G| / 2B, above
    1 where the leaf disagrees; `entry` is the latter's place in the flattened leaf, `handwritten`
    and `reference` the values of M and G there.
    """

    largest: Tree
    of_bound: Tree
    entry: Tree
    handwritten: Tree
    reference: Tree


def compare(handwritten: Tree, reference: Tree, bound: Tree) -> Disagreement:
    """Holds gradient M against gradient G, each computed to within B of the exact one.

    The three have one structure, and their leaves the same shapes.
    """
    worst = jax.tree.map(_worst, handwritten, reference, bound)
    return jax.tree.transpose(jax.tree.structure(reference), None, worst)


def _worst(
    m: Float[Array, "*shape"], g: Float[Array, "*shape"], b: Float[Array, "*shape"]
) -> Disagreement:
    """The worst of one leaf, its first entry if several are; NaN counts as infinitely wrong."""
    error = jnp.abs(m - g).ravel()
    of_bound = error / (2 * b.ravel())
    of_bound = jnp.where(jnp.isnan(of_bound), jnp.inf, of_bound)
    worst = jnp.max(of_bound)
    # Two plain reductions: argmax alone would take as long as the rest of the comparison.
    places = jnp.arange(of_bound.size)
    entry = jnp.min(jnp.where(of_bound == worst, places, of_bound.size))
    return Disagreement(jnp.max(error), worst, entry, m.ravel()[entry], g.ravel()[entry])
