"""The user's derivatives of single examples, split into δ and a row of activations."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check.formulas import Array, Scene

Leaf = tuple[str, int]
"""The kind and the layer of a leaf, such as ("weight", 2)."""


class Known(NamedTuple):
    """The right formulas of the lines that depend on the loss.

    `texts` has formulas by kind and layer, `decays` has λ by layer, `delta` is δ^L of each example.
    """

    texts: Mapping[Leaf, str]
    decays: Mapping[int, float]
    delta: Array | None


class Outer(NamedTuple):
    """Weight derivatives of single examples. If `is_rank_one`, each is `column rowᵀ`."""

    each: Sequence[Array]
    column: Array
    row: Array
    is_rank_one: bool


class Seen(NamedTuple):
    """The user's derivatives of single examples, by layer; in `biases`, each column is an example.

    If λ W was subtracted from the weight derivatives of a layer, `decays` has this λ by layer.
    """

    scene: Scene
    known: Known
    tolerance: float
    biases: dict[int, Array]
    weights: dict[int, Outer]
    decays: dict[int, float]


def outer(each: Sequence[Array], tolerance: float) -> Outer:
    """Takes from each weight derivative the column and the row that contain its largest entry."""
    columns, rows, rank_one = [], [], True
    for leaf in each:
        i, j = np.unravel_index(int(np.argmax(np.abs(leaf))), leaf.shape)
        columns.append(leaf[:, j])
        rows.append(leaf[i] / (leaf[i, j] or 1.0))
        error = np.max(np.abs(leaf - np.outer(columns[-1], rows[-1])), initial=0.0)
        rank_one = rank_one and bool(error <= tolerance * abs(leaf[i, j]))
    return Outer(each, np.stack(columns, axis=1), np.stack(rows, axis=1), rank_one)


def share_of(one: Array, other: Array, tolerance: float) -> Array | None:
    """For each column, the k with `one` = k · `other`; None if a column has no such k."""
    if one.shape != other.shape or not np.all(np.isfinite(other)):
        return None
    size = np.sum(other * other, axis=0)
    k = np.divide(np.sum(one * other, axis=0), size, out=np.zeros_like(size), where=size > 0)
    close = np.abs(one - k * other) <= tolerance * np.max(np.abs(one), axis=0)
    return k if np.all(close) else None


def seen_in(
    leaves: Mapping[Leaf, Sequence[Array]], scene: Scene, known: Known, tolerance: float
) -> Seen:
    """Splits weight derivatives into columns and rows; subtracts λ W if they contain it."""
    seen = Seen(scene, known, tolerance, {}, {}, {})
    for (kind, layer), each in leaves.items():
        if kind == "bias":
            seen.biases[layer] = np.stack(each, axis=1)
            continue
        seen.weights[layer] = outer(each, tolerance)
        rate = known.decays.get(layer, 0.0)
        theta = scene.theta(layer, "weight")
        found = outer([a - rate * b for a, b in zip(each, theta, strict=True)], tolerance)
        narrow = min(each[0].shape) == 1  # then every array has rank one
        rows_fit = not narrow or share_of(found.row, scene.a[layer - 1], 1e-8) is not None
        if rate and found.is_rank_one and rows_fit:
            seen.weights[layer], seen.decays[layer] = found, rate
    return seen
