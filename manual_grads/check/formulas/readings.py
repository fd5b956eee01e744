"""Weight derivatives of single examples, which have rank one: their columns and rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check.formulas.scene import Array


class Outer(NamedTuple):
    """Weight derivatives of single examples: each is `column rowᵀ`, if `is_rank_one`."""

    each: Sequence[Array]
    column: Array
    row: Array
    is_rank_one: bool


def outer(each: Sequence[Array], tolerance: float) -> Outer:
    """Reads the column and the row of each weight derivative off its largest entry."""
    columns, rows, rank_one = [], [], True
    for leaf in each:
        i, j = np.unravel_index(int(np.argmax(np.abs(leaf))), leaf.shape)
        columns.append(leaf[:, j])
        rows.append(leaf[i] / (leaf[i, j] or 1.0))
        error = np.max(np.abs(leaf - np.outer(columns[-1], rows[-1])), initial=0.0)
        rank_one = rank_one and bool(error <= tolerance * abs(leaf[i, j]))
    return Outer(each, np.stack(columns, axis=1), np.stack(rows, axis=1), rank_one)


def share_of(one: Array, other: Array, tolerance: float) -> Array | None:
    """The k of each column with one = k · other, or None if there is none."""
    if one.shape != other.shape or not np.all(np.isfinite(other)):
        return None
    size = np.sum(other * other, axis=0)
    k = np.divide(np.sum(one * other, axis=0), size, out=np.zeros_like(size), where=size > 0)
    close = np.abs(one - k * other) <= tolerance * np.max(np.abs(one), axis=0)
    return k if np.all(close) else None


class Seen(NamedTuple):
    """The derivatives of single examples by layer, one example a column.

    `decays` are what was subtracted from a weight derivative to give it rank one, and its rate.
    """

    biases: dict[int, Array]
    weights: dict[int, Outer]
    decays: dict[int, tuple[str, float]]


def without(
    each: Sequence[Array], terms: Sequence[Array], tolerance: float
) -> tuple[float, Outer] | None:
    """The rate for which each derivative minus rate · term has rank one, and what is left.

    All 2×2 determinants of an array of rank one are 0, which is a quadratic equation for the rate.
    """
    leaf, term = each[0], terms[0]
    if min(leaf.shape) < 2:
        return None
    i, j = np.unravel_index(int(np.argmax(np.abs(leaf))), leaf.shape)
    block = np.ix_([i, i - 1], [j, j - 1])
    m, t = leaf[block], term[block]
    middle = m[0, 1] * t[1, 0] + t[0, 1] * m[1, 0] - m[0, 0] * t[1, 1] - t[0, 0] * m[1, 1]
    for root in np.roots([np.linalg.det(t), middle, np.linalg.det(m)]):
        if abs(root.imag) > 1e-9 or root == 0:
            continue
        rate = float(f"{root.real:.9g}")
        rest = outer([a - rate * b for a, b in zip(each, terms, strict=True)], 100 * tolerance)
        if rest.is_rank_one:
            return rate, rest
    return None
