"""Explains the derivatives of single examples line by line, given the δ of the user's code.

For a single example the bias derivative is δ, and the weight derivative is δ times a known row. So
each of these derivatives gives a value of the user's δ; both are tried, because one can be wrong.
Then each line is explained alone. The result is the explanation with the lowest cost.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check import formulas
from manual_grads.check.formulas import Array, Forward, Scene, tables
from manual_grads.check.lines.answers import (
    UNKNOWN,
    Answer,
    answers_to,
    forward_answer,
    leaf_answers,
)
from manual_grads.check.lines.delta_lines import delta_line, right_output
from manual_grads.check.lines.leaf_lines import leaf_rows
from manual_grads.check.lines.observed_deltas import Known, Leaf, Seen, seen_in, share_of

WRONG_LEAF = 1.5
"""The assumed cost of a wrong weight or bias line, before it is explained."""
MOST_PATHS = 8
MOST_FORWARD = 4


class Path(NamedTuple):
    """One explanation of all lines, from the output layer down, with the user's δ of each layer."""

    deltas: dict[int, Array]
    answers: tuple[Answer, ...]
    wrong_leaves: int = 0

    @property
    def cost(self) -> float:
        """The sum of the costs of different mistakes, of unknown lines and of wrong leaves."""
        alike = {answer.alike: answer.cost for answer in self.answers if answer.name != "unknown"}
        unknown = sum(answer.name == "unknown" for answer in self.answers)
        return sum(alike.values()) + UNKNOWN * unknown + WRONG_LEAF * self.wrong_leaves


def explain(
    scene: Scene, leaves: Mapping[Leaf, Sequence[Array]], tolerance: float, known: Known
) -> list[Path]:
    """All explanations with the lowest cost. If no line is wrong, their `answers` are empty."""
    seen = seen_in(leaves, scene, known, tolerance)
    paths = _read(seen, ())
    if min(path.cost for path in paths) > 1 and not _shows_right_forward(seen, paths[0]):
        least = min(path.cost for path in _paths(seen, (), False))
        tried = []
        for change in _forward_changes(scene):
            other = formulas.changed_scene(scene, change)
            if not all(np.all(np.isfinite(a)) for a in other.a):
                continue
            quick = min(path.cost for path in _paths(seen._replace(scene=other), (), False))
            if quick < least:
                tried.append((quick, len(tried), change, other))
        for _, _, change, other in sorted(tried)[:MOST_FORWARD]:
            forward = tuple(forward_answer(change, layer) for layer in change.layers)
            paths += _read(seen._replace(scene=other), forward)
    best = min(path.cost for path in paths)
    kept = {path.answers: path for path in reversed(paths) if path.cost <= best + 1e-9}
    return list(reversed(kept.values()))


def _forward_changes(scene: Scene) -> Iterator[Forward]:
    """Wrong forward formulas of one layer, of all hidden layers, and of all layers except 0."""
    depth = scene.depth
    for formula in tables.FORWARD_INPUTS:
        yield Forward(formula, "x", (0,))
    groups = [(k,) for k in range(depth + 1)] + [tuple(range(1, depth)), tuple(range(1, depth + 1))]
    for layers in dict.fromkeys(group for group in groups if group):
        others = [k for k in range(1, depth + 1) if layers != (k,)]
        sums = [*tables.FORWARD_SUMS, *(f"W @ am + b_{k}" for k in others)]
        sums += [f"W_{k} @ am + b" for k in others]
        for formula in sums if layers[0] > 0 else ():
            yield Forward(formula, "W @ am + b", layers)
        if layers == (depth,) or all(formulas.is_active(scene.problem, layer) for layer in layers):
            for formula in tables.FORWARD_ACTIVATIONS:
                yield Forward(formula, "f(z)", layers)


def _shows_right_forward(seen: Seen, path: Path) -> bool:
    """Whether δ^L and the rows of all weight derivatives agree with the right forward pass."""
    top = "delta", seen.scene.depth
    return not any(answer.place == top for answer in path.answers) and all(
        weight.is_rank_one and share_of(weight.row, seen.scene.a[layer - 1], 1e-8) is not None
        for layer, weight in seen.weights.items()
    )


def _read(seen: Seen, answers: tuple[Answer, ...]) -> list[Path]:
    """Explanations of all δ, weight and bias lines, sorted by their cost."""
    explained: list[Path] = []
    for path in _paths(seen, answers, True):
        if explained and path.cost - WRONG_LEAF * path.wrong_leaves > explained[0].cost:
            continue
        wrong = [
            (kind, layer)
            for layer in sorted(path.deltas, reverse=True)
            for kind in ("weight", "bias")
            if not _is_right(seen, kind, layer, path.deltas[layer])
        ]
        for chosen in leaf_answers(seen, path.deltas, wrong):
            explained.append(Path(path.deltas, path.answers + chosen))
        explained.sort(key=lambda one: one.cost)
    return explained


def _paths(seen: Seen, answers: tuple[Answer, ...], thorough: bool) -> list[Path]:
    """The cheapest explanations of all δ lines. Unless `thorough`, a wrong δ line is "unknown"."""
    paths = [Path({}, answers)]
    for layer in reversed(range(seen.scene.depth + 1)):
        if layer > 0 or 0 in seen.biases:
            read = _read_off(seen, layer)
            longer = [one for path in paths for one in _extended(seen, path, layer, read, thorough)]
            paths = sorted(longer, key=lambda path: path.cost)[:MOST_PATHS]
    return paths


def _extended(
    seen: Seen, path: Path, layer: int, read: Sequence[Array], thorough: bool
) -> Iterator[Path]:
    """Continues the path with each possible δ of the layer: the right δ, and each δ in `read`."""
    kinds, scene = seen.scene.draws[0][layer], seen.scene
    if layer < scene.depth:
        right = scene.back(layer + 1, path.deltas[layer + 1]) * scene.slope(layer)
    else:
        right = right_output(scene) if seen.known.delta is None else seen.known.delta
    found = [right]
    for delta in read:
        if not any(_close(delta, one, one, seen.tolerance) for one in found):
            found.append(delta)
    for number, delta in enumerate(found):
        deltas = {**path.deltas, layer: delta}
        wrong = sum(not _is_right(seen, kind, layer, delta) for kind in kinds)
        longer = Path(deltas, path.answers, path.wrong_leaves + wrong)
        if number == 0:
            yield longer
        elif wrong < len(kinds) or thorough:
            line = delta_line(seen, layer, delta, path.deltas) if thorough else None
            for tie in answers_to(seen, "delta", layer, line):
                yield longer._replace(answers=(*path.answers, *([tie] if tie.cost else [])))


def _read_off(seen: Seen, layer: int) -> list[Array]:
    """The user's δ of a layer: one from the bias derivative, and one from the weight derivative."""
    read = [seen.biases[layer]] if layer in seen.biases else []
    weight = seen.weights.get(layer)
    if weight is not None and weight.is_rank_one:
        names = formulas.names_of(seen.scene, layer, {})
        for row in leaf_rows(seen.scene, layer):
            value = formulas.value_of(row, names, weight.row.shape)
            k = None if value is None else share_of(weight.row, value, seen.tolerance)
            if k is not None:
                read.append(weight.column * k)
                break
    return [delta for delta in read if np.any(delta)]


def _close(one: Array, other: Array, size: Array, tolerance: float) -> bool:
    return bool(np.max(np.abs(one - other), initial=0.0) <= tolerance * np.max(np.abs(size)))


def _is_right(seen: Seen, kind: str, layer: int, delta: Array) -> bool:
    """Whether the weight or bias line is right for this δ, or the layer has no such line."""
    if kind == "bias":
        values = seen.biases.get(layer, delta)
        return _close(values, delta, np.maximum(np.abs(values), np.abs(delta)), seen.tolerance)
    weight, below = seen.weights.get(layer), seen.scene.a[layer - 1]
    if weight is None:
        return True
    if seen.decays.get(layer, 0.0) != seen.known.decays.get(layer, 0.0):
        return False
    k = share_of(weight.row, below, seen.tolerance) if weight.is_rank_one else None
    if k is None:
        return not np.any(delta) and not any(map(np.any, weight.each))
    used = np.any(below, axis=0)
    return _close((weight.column * k)[:, used], delta[:, used], delta, 10 * seen.tolerance)
