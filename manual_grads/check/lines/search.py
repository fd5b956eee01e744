"""Explains the derivatives of single examples line by line, given the δ that the code itself has.

For a single example the bias derivative is δ, and the weight derivative is δ times a known row. So
the δ of the user's code is read off its own result, from the bias and from the weight separately,
because either line can be wrong. Every line is then a question of its own. Of all ways to read the
lines, the one with the fewest and simplest mistakes is the answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check.formulas import (
    Array,
    Params,
    Problem,
    Scene,
    Seen,
    names_of,
    outer,
    scene_of,
    share_of,
    value_of,
    without,
)
from manual_grads.check.lines.answers import (
    UNKNOWN,
    Answer,
    Known,
    answer_to,
    forward_answer,
    leaf_answers,
)
from manual_grads.check.lines.delta_lines import delta_line, right_output
from manual_grads.check.lines.forward_lines import (
    ForwardChange,
    forward_changes,
    scaled_units,
)
from manual_grads.check.lines.leaf_lines import leaf_rows

WRONG_LEAF = 1.5
"""The assumed cost of a wrong weight or bias line, before it is explained."""
MOST_PATHS = 8
MOST_FORWARD = 4


class Path(NamedTuple):
    """One way to read all lines, from the output layer down, and the δ of each layer."""

    deltas: dict[int, Array]
    answers: tuple[Answer, ...]
    wrong_leaves: int = 0

    @property
    def cost(self) -> float:
        """The sum of the costs of different mistakes."""
        alike = {answer.alike: answer.cost for answer in self.answers if answer.name != "unknown"}
        unknown = sum(answer.name == "unknown" for answer in self.answers)
        return sum(alike.values()) + UNKNOWN * unknown + WRONG_LEAF * self.wrong_leaves


class Examples(NamedTuple):
    """Single examples: the loss, the parameters of each draw, its images and target rows."""

    problem: Problem
    draws: Sequence[Params]
    batches: Sequence[tuple[Array, Array]]


def explain(
    examples: Examples,
    leaves: Mapping[tuple[str, int], Sequence[Array]],
    tolerance: float,
    known: Known,
) -> list[Path]:
    """The cheapest ways to read the lines; several if they tie. A path without answers is right."""
    scene = scene_of(*examples)
    seen = _seen(leaves, scene, known, tolerance)
    paths = _read(scene, seen, known, tolerance, ())
    if min(path.cost for path in paths) > 1 and not _shows_right_forward(scene, seen, paths[0]):
        least = min(path.cost for path in _paths(scene, seen, known, tolerance, (), False))
        tried = []
        for change in (*_read_off(scene, seen, tolerance), *forward_changes(scene)):
            other = scene_of(*examples, change.step, change.layers)._replace(gains=change.gains)
            if not all(np.all(np.isfinite(a)) for a in other.a):
                continue
            quick = min(path.cost for path in _paths(other, seen, known, tolerance, (), False))
            if quick < least:
                tried.append((quick, len(tried), change, other))
        for _, _, change, other in sorted(tried)[:MOST_FORWARD]:
            forward = tuple(forward_answer(change, layer) for layer in change.layers)
            paths += _read(other, seen, known, tolerance, forward)
    best = min(path.cost for path in paths)
    kept = {path.answers: path for path in reversed(paths) if path.cost <= best + 1e-9}
    return list(reversed(kept.values()))


def _shows_right_forward(scene: Scene, seen: Seen, path: Path) -> bool:
    """Whether δ^L and the rows of all weight derivatives are those of the right forward pass."""
    return not any(a.kind == "delta" and a.layer == scene.depth for a in path.answers) and all(
        weight.is_rank_one and share_of(weight.row, scene.a[layer - 1], 1e-8) is not None
        for layer, weight in seen.weights.items()
    )


def _seen(
    leaves: Mapping[tuple[str, int], Sequence[Array]], scene: Scene, known: Known, tolerance: float
) -> Seen:
    """Reads a column, a row and a regulariser off each weight derivative."""
    seen = Seen({}, {}, {})
    for (kind, layer), each in leaves.items():
        if kind == "bias":
            seen.biases[layer] = np.stack(each, axis=1)
            continue
        theta, wanted = scene.theta(layer, "weight"), known.decays.get(layer, 0.0)
        seen.weights[layer] = outer(each, tolerance)
        for rate in dict.fromkeys((wanted, 0.0, 2 * wanted, wanted / 2, -wanted)):
            rest = [a - rate * b for a, b in zip(each, theta, strict=True)] if rate else each
            found = outer(rest, tolerance)
            below = scene.a[layer - 1]
            narrow = wanted and min(each[0].shape) == 1  # then every array has rank one
            if found.is_rank_one and (not narrow or share_of(found.row, below, 1e-8) is not None):
                seen.weights[layer] = found
                seen.decays.update({layer: ("W{l}", rate)} if rate else {})
                break
        if not seen.weights[layer].is_rank_one:
            for text, of in (("W{l}", lambda w: w), ("sign W{l}", np.sign), ("1", np.ones_like)):
                rest = without(each, [of(one) for one in theta], tolerance)
                if rest is not None:
                    seen.decays[layer] = (text, rest[0])
                    seen.weights[layer] = rest[1]
                    break
    return seen


def _read_off(scene: Scene, seen: Seen, tolerance: float) -> Iterator[ForwardChange]:
    """Hidden units that are multiplied by constants, which the weight derivatives above show."""
    for layer in range(1, scene.depth):
        weight, bias = seen.weights.get(layer + 1), seen.biases.get(layer + 1)
        if weight is None or bias is None or not weight.is_rank_one or not np.all(np.any(bias, 0)):
            continue
        size = np.sum(bias * bias, axis=0)
        row = weight.row * np.sum(weight.column * bias, axis=0) / size
        a = scene.a[layer]
        ratio = np.where(a != 0, row / np.where(a != 0, a, 1), np.nan)
        alive = ~np.all(np.isnan(ratio), axis=1)
        factors = np.ones(len(a))
        factors[alive] = np.nanmean(ratio[alive], axis=1)
        spread = np.nanmax(np.abs(ratio[alive] - factors[alive, None]), initial=0.0)
        if spread <= 1e3 * tolerance * np.abs(factors).max() and np.ptp([*factors, 1.0]) > 1e-6:
            yield scaled_units(scene, layer, factors)


def _read(
    scene: Scene, seen: Seen, known: Known, tolerance: float, answers: tuple[Answer, ...]
) -> list[Path]:
    """The paths with their weight and bias lines explained, the cheapest first."""
    explained: list[Path] = []
    for path in _paths(scene, seen, known, tolerance, answers, True):
        if explained and path.cost - WRONG_LEAF * path.wrong_leaves > explained[0].cost:
            continue
        wrong = [
            (kind, layer)
            for layer in sorted(path.deltas, reverse=True)
            for kind in ("weight", "bias")
            if not _is_right(scene, seen, known, kind, layer, path.deltas[layer], tolerance)
        ]
        for chosen in leaf_answers(scene, seen, known, tolerance, path.deltas, wrong):
            explained.append(Path(path.deltas, path.answers + chosen))
        explained.sort(key=lambda one: one.cost)
    return explained


def _paths(
    scene: Scene,
    seen: Seen,
    known: Known,
    tolerance: float,
    answers: tuple[Answer, ...],
    thorough: bool,
) -> list[Path]:
    """The cheapest paths; if not `thorough`, a line is right or unknown."""
    paths = [Path({}, answers)]
    for layer in reversed(range(scene.depth + 1)):
        if layer == 0 and 0 not in seen.biases:
            break
        longer = [
            one
            for path in paths
            for one in _extended(scene, seen, known, tolerance, path, layer, thorough)
        ]
        paths = sorted(longer, key=lambda path: path.cost)[:MOST_PATHS]
    return paths


def _extended(
    scene: Scene,
    seen: Seen,
    known: Known,
    tolerance: float,
    path: Path,
    layer: int,
    thorough: bool,
) -> Iterator[Path]:
    """The path with each δ that the layer can have: the right one first."""
    kinds = scene.draws[0][layer]
    for number, delta in enumerate(_hypotheses(scene, seen, known, path, layer, tolerance)):
        deltas = {**path.deltas, layer: delta}
        wrong = sum(
            not _is_right(scene, seen, known, kind, layer, delta, tolerance) for kind in kinds
        )
        more: tuple[Answer, ...] = ()
        if number > 0:
            if wrong == len(kinds) and not thorough:
                continue
            above = seen.weights.get(layer + 1)
            found = thorough and delta_line(scene, layer, delta, path.deltas, above, tolerance)
            answer = answer_to("delta", layer, found or None, known, scene)
            more = (answer,) if answer.cost else ()
            is_own = known.delta is not None
            if answer.name == "factor" and not is_own and _is_doubled_softmax(scene, layer, answer):
                other = (answer._replace(name="other-loss", words=SQUARED),)
                yield Path(deltas, path.answers + other, path.wrong_leaves + wrong)
        yield Path(deltas, path.answers + more, path.wrong_leaves + wrong)


SQUARED = (
    "δ is that of squared error without the softmax's Jacobian, or has a factor 2; it is p − y"
)


def _is_doubled_softmax(scene: Scene, layer: int, answer: Answer) -> bool:
    """Whether δ^L is 2 (p − y), which can be read in two ways."""
    is_softmax = scene.problem.loss == "cross_entropy" and layer == scene.depth
    return is_softmax and abs(answer.number - 2) < 1e-6


def _hypotheses(
    scene: Scene, seen: Seen, known: Known, path: Path, layer: int, tolerance: float
) -> list[Array]:
    """The δ that the layer can have; the first is the right one, the others are read off."""
    if layer < scene.depth:
        right = scene.back(layer + 1, path.deltas[layer + 1]) * scene.slope(layer)
    else:
        right = right_output(scene) if known.delta is None else known.delta
    found = [right]

    def add(delta):
        close = (np.max(np.abs(delta - one)) <= tolerance * np.max(np.abs(one)) for one in found)
        if np.any(delta) and not any(close):
            found.append(delta)

    if layer in seen.biases:
        add(seen.biases[layer])
    weight = seen.weights.get(layer)
    if weight is not None and weight.is_rank_one:
        names = names_of(scene, layer, {})
        for row in leaf_rows(scene, layer):
            value = value_of(row, names, weight.row.shape)
            k = None if value is None else share_of(weight.row, value, tolerance)
            if k is not None:
                add(weight.column * k)
                break
    return found


def _is_right(
    scene: Scene, seen: Seen, known: Known, kind: str, layer: int, delta: Array, tolerance: float
) -> bool:
    """Whether the weight or bias line is right for this δ, as far as the layer has it."""
    if kind == "bias":
        values = seen.biases.get(layer)
        return values is None or bool(
            np.max(np.abs(values - delta))
            <= tolerance * max(np.abs(values).max(), np.abs(delta).max())
        )
    weight = seen.weights.get(layer)
    if weight is None:
        return True
    text, rate = seen.decays.get(layer, ("W{l}", 0.0))
    if text != "W{l}" or abs(rate - known.decays.get(layer, 0.0)) > 1e-6 * abs(rate):
        return False
    k = share_of(weight.row, scene.a[layer - 1], tolerance) if weight.is_rank_one else None
    if k is None:
        return not np.any(delta) and not any(map(np.any, weight.each))
    used = np.any(scene.a[layer - 1], axis=0)
    error = np.abs(weight.column * k - delta)[:, used]
    return bool(np.max(error, initial=0.0) <= 10 * tolerance * np.abs(delta).max())
