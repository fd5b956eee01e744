"""What is read off the derivatives of single examples, and what is known about the right ones."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check.formulas import Array, Scene

Leaf = tuple[str, int]
"""The kind and the layer of a leaf, such as ("weight", 2)."""


class Known(NamedTuple):
    """The right formulas where they are not those of the network's own loss.

    `texts` are by kind and layer, `decays` by layer, and `delta` is δ^L of each example.
    """

    texts: Mapping[Leaf, str]
    decays: Mapping[int, float]
    delta: Array | None


class Outer(NamedTuple):
    """Weight derivatives of single examples: each is `column rowᵀ`, if `is_rank_one`."""

    each: Sequence[Array]
    column: Array
    row: Array
    is_rank_one: bool


class Seen(NamedTuple):
    """The derivatives of single examples by layer, one example a column; and what is known.

    `decays` are what was subtracted from a weight derivative to give it rank one, and its rate.
    """

    scene: Scene
    known: Known
    tolerance: float
    biases: dict[int, Array]
    weights: dict[int, Outer]
    decays: dict[int, tuple[str, float]]

    def decay(self, layer: int) -> tuple[str, float]:
        """What was subtracted from a weight derivative, and its rate."""
        return self.decays.get(layer, ("W{l}", 0.0))


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


def seen_in(
    leaves: Mapping[Leaf, Sequence[Array]], scene: Scene, known: Known, tolerance: float
) -> Seen:
    """Reads a column, a row and a regulariser off each weight derivative."""
    seen = Seen(scene, known, tolerance, {}, {}, {})
    for (kind, layer), each in leaves.items():
        if kind == "bias":
            seen.biases[layer] = np.stack(each, axis=1)
            continue
        theta, below = scene.theta(layer, "weight"), scene.a[layer - 1]
        seen.weights[layer] = outer(each, tolerance)
        for rate in dict.fromkeys((known.decays.get(layer, 0.0), 0.0)):
            found = outer([a - rate * b for a, b in zip(each, theta, strict=True)], tolerance)
            narrow = rate and min(each[0].shape) == 1  # then every array has rank one
            if found.is_rank_one and (not narrow or share_of(found.row, below, 1e-8) is not None):
                seen.weights[layer] = found
                seen.decays.update({layer: ("W{l}", rate)} if rate else {})
                break
        if not seen.weights[layer].is_rank_one:
            for text, of in (("W{l}", lambda w: w), ("sign W{l}", np.sign), ("1", np.ones_like)):
                rest = _without(each, [of(one) for one in theta], tolerance)
                if rest is not None:
                    seen.decays[layer], seen.weights[layer] = (text, rest[0]), rest[1]
                    break
    return seen


def _without(
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
