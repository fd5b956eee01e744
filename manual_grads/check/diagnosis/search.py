"""Explains the derivatives of single examples line by line, given the δ that the code itself has.

For a single example the bias derivative is δ, and the weight derivative is δ times a known row. So
the δ of the user's code is read off its own result, from the bias and from the weight separately,
because either line can be wrong. Every line is then a question of its own. Of all ways to read the
lines, the one with the fewest and simplest mistakes is the answer.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check.diagnosis.delta_lines import (
    hidden_line,
    output_errors,
    output_line,
    right_error,
    right_output_text,
)
from manual_grads.check.diagnosis.formulas import Formula, rounded
from manual_grads.check.diagnosis.forward_lines import (
    ForwardChange,
    forward_changes,
    scaled_units,
)
from manual_grads.check.diagnosis.leaf_lines import (
    Outer,
    bias_line,
    columns_of,
    outer,
    rows_of,
    same_direction,
    weight_line,
)
from manual_grads.check.diagnosis.scene import Array, Params, Scene, scene_of
from manual_grads.check.diagnosis.problem import Problem

UNKNOWN = 6.0
"""The cost of a line that no formula explains."""
WRONG_LEAF = 1.5
"""The assumed cost of a wrong weight or bias line, before it is explained."""
MOST_PATHS = 8
MOST_FORWARD = 4


class Seen(NamedTuple):
    """The derivatives of single examples, by layer and kind, with one example in each column."""

    biases: dict[int, Array]
    weights: dict[int, Outer]
    decays: dict[int, tuple[str, float]]


class Answer(NamedTuple):
    """What one line computes. `kind` is delta, weight, bias or forward."""

    kind: str
    layer: int
    yours: str
    right: str
    name: str
    words: str
    cost: float
    number: float = 1.0  # the wrong factor, or the rate of a regulariser
    is_linear: bool = True

    @property
    def alike(self) -> tuple[str, str, str]:
        """Answers that are alike are one mistake in several lines."""
        return self.kind if self.kind == "forward" else "", self.name, self.yours


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


class Known(NamedTuple):
    """The right formulas where they are not those of the network's own loss.

    `texts` are by kind and layer, `decays` by layer, and `delta` is δ^L of each example.
    """

    texts: dict[tuple[str, int], str]
    decays: dict[int, float]
    delta: Array | None


class Examples(NamedTuple):
    """Single examples: the loss, the parameters of each draw, its images and target rows."""

    problem: Problem
    draws: Sequence[Params]
    batches: Sequence[tuple[Array, Array]]


def seen_of(
    leaves: Mapping[tuple[str, int], Sequence[Array]],
    scene: Scene,
    known: Known,
    tolerance: float,
) -> Seen:
    """Reads a column, a row and a regulariser off each weight derivative."""
    biases, weights, decays = {}, {}, {}
    for (kind, layer), each in leaves.items():
        if kind == "bias":
            biases[layer] = np.stack(each, axis=1)
            continue
        theta, wanted = scene.theta(layer, "weight"), known.decays.get(layer, 0.0)
        for rate in dict.fromkeys((wanted, 0.0, 2 * wanted, wanted / 2, -wanted)):
            rest = [one - rate * of for one, of in zip(each, theta, strict=True)] if rate else each
            weights[layer] = outer(rest, tolerance)
            narrow = min(each[0].shape) == 1 and wanted
            if weights[layer].is_rank_one and (
                not narrow
                or same_direction(weights[layer].row, scene.a[layer - 1], 100 * tolerance)
            ):
                if rate:
                    decays[layer] = ("W{l}", rate)
                break
        else:
            weights[layer] = outer(each, tolerance)
        if not weights[layer].is_rank_one:
            for text, of in (("W{l}", lambda w: w), ("sign W{l}", np.sign), ("1", np.ones_like)):
                terms = [of(one) for one in theta]
                found = _without(each, terms, tolerance)
                if found is not None:
                    rate, weights[layer] = found
                    decays[layer] = (text, rate)
                    break
    return Seen(biases, weights, decays)


def _without(
    each: Sequence[Array], terms: Sequence[Array], tolerance: float
) -> tuple[float, Outer] | None:
    """The rate for which each derivative minus rate · term has rank one, and what is left."""
    leaf, term = each[0], terms[0]
    if min(leaf.shape) < 2:
        return None
    largest = np.unravel_index(int(np.argmax(np.abs(leaf))), leaf.shape)
    others = [
        (i, j)
        for i in range(leaf.shape[0])
        for j in range(leaf.shape[1])
        if i != largest[0] and j != largest[1]
    ][:2]
    for i, j in others:
        rows, columns = [largest[0], i], [largest[1], j]
        m, t = leaf[np.ix_(rows, columns)], term[np.ix_(rows, columns)]
        quadratic = np.linalg.det(t)
        linear = -(m[0, 0] * t[1, 1] + t[0, 0] * m[1, 1] - m[0, 1] * t[1, 0] - t[0, 1] * m[1, 0])
        for root in np.roots([quadratic, linear, np.linalg.det(m)]):
            if abs(root.imag) > 1e-9 or root == 0:
                continue
            rate = float(root.real)
            rest = outer(
                [one - rate * of for one, of in zip(each, terms, strict=True)], 100 * tolerance
            )
            if rest.is_rank_one:
                return float(f"{rate:.9g}"), rest
    return None


def explain(
    examples: Examples,
    leaves: Mapping[tuple[str, int], Sequence[Array]],
    tolerance: float,
    known: Known | None = None,
) -> list[Path]:
    """The cheapest ways to read the lines; several if they tie. A path without answers is right."""
    scene = scene_of(*examples)
    known = known or Known({}, {}, None)
    seen = seen_of(leaves, scene, known, tolerance)
    paths = _read(scene, seen, known, tolerance, ())
    best = min(path.cost for path in paths)
    if best > 1:
        least = min(path.cost for path in _quick(scene, seen, known, tolerance))
        tried = []
        changes = [*read_off_changes(examples.problem, scene, seen, tolerance)]
        for change in [*changes, *forward_changes(examples.problem, scene)]:
            other = scene_of(*examples, change.step, change.layers)._replace(gains=change.gains)
            if not all(np.all(np.isfinite(a)) for a in other.a):
                continue
            quick = min(path.cost for path in _quick(other, seen, known, tolerance))
            if quick < least:
                tried.append((quick, len(tried), change, other))
        for _, _, change, other in sorted(tried)[:MOST_FORWARD]:
            forward = tuple(_forward_answer(change, layer) for layer in change.layers)
            paths += _read(other, seen, known, tolerance, forward)
    best = min(path.cost for path in paths)
    kept = {path.answers: path for path in reversed(paths) if path.cost <= best + 1e-9}
    return list(reversed(kept.values()))


def read_off_changes(
    problem: Problem, scene: Scene, seen: Seen, tolerance: float
) -> Iterator[ForwardChange]:
    """Hidden units that are multiplied by constants, which the weight derivatives above show."""
    for layer in range(1, scene.depth):
        weight, bias = seen.weights.get(layer + 1), seen.biases.get(layer + 1)
        if weight is None or bias is None or not weight.is_rank_one or not np.all(np.any(bias, 0)):
            continue
        size = np.sum(bias * bias, axis=0)
        row = weight.row * np.sum(weight.column * bias, axis=0) / size
        a = scene.a[layer]
        with np.errstate(all="ignore"):
            ratio = np.where(a != 0, row / a, np.nan)
            factors = np.nanmean(ratio, axis=1)
            spread = np.nanmax(np.abs(ratio - factors[:, None]), axis=1)
        factors = np.where(np.isnan(factors), 1.0, factors)
        if np.all(np.nan_to_num(spread) <= 1e3 * tolerance * (1 + np.abs(factors))):
            if np.any(np.abs(factors - 1) > 1e-6):
                yield scaled_units(problem, layer, factors)


def _forward_answer(change: ForwardChange, layer: int) -> Answer:
    right = "W{l} a{m} + b{l}" if "W" in change.text else "x" if "x" in change.text else "f(z{l})"
    return Answer("forward", layer, change.text, right, "forward", change.words, 1.0)


def _quick(scene: Scene, seen: Seen, known: Known, tolerance: float) -> list[Path]:
    """The paths in which every line is right or unknown."""
    return _paths(scene, seen, known, tolerance, (), thorough=False)


def _read(
    scene: Scene, seen: Seen, known: Known, tolerance: float, answers: tuple[Answer, ...]
) -> list[Path]:
    """The paths with their weight and bias lines explained, the cheapest first."""
    paths = _paths(scene, seen, known, tolerance, answers, thorough=True)
    explained: list[Path] = []
    for path in paths:
        if explained and path.cost - WRONG_LEAF * path.wrong_leaves > explained[0].cost:
            continue
        explained += _with_leaves(scene, seen, known, tolerance, path)
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
    paths = [Path({}, answers)]
    for layer in reversed(range(scene.depth + 1)):
        if layer == 0 and 0 not in seen.biases:
            break
        longer = [
            one
            for path in paths
            for one in _extended(scene, seen, known, tolerance, path, layer, thorough)
        ]
        longer.sort(key=lambda path: path.cost)
        paths = longer[:MOST_PATHS]
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
    """The path with each δ that the layer can have."""
    right = right_delta(scene, known, path, layer)
    for number, delta in enumerate(_hypotheses(scene, seen, right, layer, tolerance)):
        deltas = {**path.deltas, layer: delta}
        wrong = sum(
            not _leaf_is_right(scene, seen, known, kind, layer, delta, tolerance)
            for kind in ("weight", "bias")
        )
        if number == 0:
            yield Path(deltas, path.answers, path.wrong_leaves + wrong)
            continue
        if wrong == 2 or (wrong == 1 and not {"weight", "bias"} <= set(scene.draws[0][layer])):
            if not thorough:
                continue
        found = _delta_formulas(scene, seen, path, layer, delta, tolerance) if thorough else []
        outputs = len(scene.y) if layer == scene.depth else 0
        right_text = _right_text(scene, layer)
        for answer in _answers("delta", layer, found, known, right_text, outputs):
            more = (answer,) if answer.cost else ()
            yield Path(deltas, path.answers + more, path.wrong_leaves + wrong)


def right_delta(scene: Scene, known: Known, path: Path, layer: int) -> Array:
    """δ^l computed by the right formula from the δ above."""
    if layer == scene.depth:
        if known.delta is not None:
            return known.delta
        return right_output(scene)
    back = scene.back(layer + 1, path.deltas[layer + 1])
    return back * scene.slope_of(layer) if scene.is_active(layer) else back


def right_output(scene: Scene) -> Array:
    """δ^L of the network's own loss, for single examples and the reduction to a mean or a sum."""
    error = right_error(scene) * scene.problem.factor(1)
    return error * scene.slope(scene.z[-1]) if scene.is_active(scene.depth) else error


def _hypotheses(
    scene: Scene, seen: Seen, right: Array, layer: int, tolerance: float
) -> list[Array]:
    """The δ that the layer can have; the first is the right one, the others are read off."""
    found = [right]

    def add(delta):
        close = (np.max(np.abs(delta - one)) <= tolerance * np.max(np.abs(one)) for one in found)
        if np.any(delta) and not any(close):
            found.append(delta)

    if layer in seen.biases:
        add(seen.biases[layer])
    weight = seen.weights.get(layer)
    if weight is not None and weight.is_rank_one:
        for choice in rows_of(scene, layer):
            if same_direction(weight.row, choice.value, tolerance):
                size = np.sum(choice.value**2, axis=0)
                scale = np.divide(
                    np.sum(weight.row * choice.value, axis=0),
                    size,
                    where=size > 0,
                    out=np.zeros_like(size),
                )
                add(weight.column * scale)
                break
    return found


def _leaf_is_right(
    scene: Scene, seen: Seen, known: Known, kind: str, layer: int, delta: Array, tolerance: float
) -> bool:
    if kind == "bias":
        values = seen.biases.get(layer)
        return values is None or bool(
            np.max(np.abs(values - delta))
            <= tolerance * max(np.abs(values).max(), np.abs(delta).max())
        )
    weight = seen.weights.get(layer)
    if weight is None:
        return True
    below = scene.a[layer - 1]
    decay = seen.decays.get(layer, ("W{l}", 0.0))
    if decay[0] != "W{l}" or abs(decay[1] - known.decays.get(layer, 0.0)) > 1e-6 * abs(decay[1]):
        return False
    if not weight.is_rank_one or not same_direction(weight.row, below, tolerance):
        return not np.any(delta) and not any(map(np.any, weight.each))
    size = np.sum(below**2, axis=0)
    scale = np.sum(weight.row * below, axis=0) / np.where(size > 0, size, 1)
    error = np.abs(weight.column * scale - delta)[:, size > 0]
    return bool(np.max(error, initial=0.0) <= 10 * tolerance * np.abs(delta).max())


def _right_text(scene: Scene, layer: int) -> str:
    """The right formula of δ^l, as the formulas are written."""
    if layer == scene.depth:
        return right_output_text(scene)
    slope = " ⊙ f'(z{l})" if scene.is_active(layer) else ""
    return f"δ{{l}} = (W{{n}}ᵀ δ{{n}}){slope}" if slope else "δ{l} = W{n}ᵀ δ{n}"


def _delta_formulas(
    scene: Scene, seen: Seen, path: Path, layer: int, delta: Array, tolerance: float
) -> list[Formula]:
    if layer == scene.depth:
        return output_line(scene, delta, tolerance)
    extra = _errors(scene, seen, path, layer)
    return hidden_line(scene, layer, path.deltas[layer + 1], delta, tolerance, extra)


def _errors(scene: Scene, seen: Seen, path: Path, layer: int) -> dict[str, Array]:
    """What could be taken for the δ above: errors without slopes, and the δ of higher layers."""
    errors = output_errors(scene)
    extra = dict(errors)
    for text, error in errors.items():
        for through in range(scene.depth, layer + 1, -1):
            error = scene.back(through, error)
            text = f"W^{through}ᵀ {text}"
        if layer + 1 < scene.depth:
            extra[text] = error
    weight = seen.weights.get(layer + 1)
    if weight is not None:
        above = path.deltas[layer + 1]
        of_each = [one.T @ above[:, n] for n, one in enumerate(weight.each)]
        extra["(∂C/∂W{n})ᵀ δ{n}"] = np.stack(of_each, axis=1)
    if layer + 1 < scene.depth:
        extra["W^(l+2)ᵀ δ^(l+2)"] = scene.back(layer + 2, path.deltas[layer + 2])
    for other, delta in path.deltas.items():
        if other > layer + 1:
            extra[f"δ^{other}"] = delta
    return extra


def _answers(
    kind: str,
    layer: int,
    found: Sequence[Formula],
    known: Known,
    right: str,
    outputs: int = 0,
) -> list[Answer]:
    """The answers for a line. If no formula was found, the line is unknown."""
    if not found:
        words = "no formula that is near the right one gives these numbers"
        return [Answer(kind, layer, "?", right, "unknown", words, UNKNOWN)]
    answers = []
    for formula in found:
        name, words, cost = formula.name, formula.words, float(formula.cost)
        text = formula.text
        if formula.factor != 1:
            text = text.replace(" = ", f" = {rounded(formula.factor)} · ", 1)
            factor = f"it is multiplied by {rounded(formula.factor)}; remove this factor"
            if name == "formula" and formula.cost == 1:
                name, words = factor_name(formula.factor), factor
                words = "the sign is wrong; change it" if name == "sign" else words
                if kind == "delta" and abs(formula.factor * outputs - 1) < 1e-6 and outputs > 1:
                    name = "averaged-twice"
                    words = "it is divided by the number of outputs; do not divide"
            else:
                words = f"{words}; also {factor}" if words else factor
        if text == known.texts.get((kind, layer)):
            cost = 0.0
        answers.append(
            Answer(
                kind,
                layer,
                text,
                known.texts.get((kind, layer), right),
                name,
                words,
                cost,
                formula.factor,
                formula.is_linear,
            )
        )
    return answers


def factor_name(factor: float) -> str:
    """The name of a wrong factor in the catalogue."""
    return "sign" if abs(factor + 1) < 1e-6 else "factor"


def _with_leaves(
    scene: Scene, seen: Seen, known: Known, tolerance: float, path: Path
) -> list[Path]:
    """The path with answers for its wrong weight and bias lines; several if formulas tie."""
    choices: list[list[Answer]] = []
    for layer in sorted(path.deltas, reverse=True):
        delta = path.deltas[layer]
        for kind in ("weight", "bias"):
            if _leaf_is_right(scene, seen, known, kind, layer, delta, tolerance):
                continue
            choices.append(_leaf_answers(scene, seen, known, tolerance, path, kind, layer))
    extended = []
    for chosen in itertools.islice(itertools.product(*choices), 8):
        answers = tuple(answer for answer in chosen if answer.cost)
        extended.append(Path(path.deltas, _merged_leaks(path.answers + answers)))
    return extended


def _merged_leaks(answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """Without the zero of a bias whose derivative was added to another unit's."""
    leaks = " ".join(answer.yours for answer in answers if answer.name == "leaked-slot")
    return tuple(
        answer
        for answer in answers
        if not (
            answer.name == "unwritten" and answer.kind == "bias" and f"b^{answer.layer}" in leaks
        )
    )


def _leaf_answers(
    scene: Scene,
    seen: Seen,
    known: Known,
    tolerance: float,
    path: Path,
    kind: str,
    layer: int,
) -> list[Answer]:
    delta = path.deltas[layer]
    columns = columns_of(scene, layer, delta, path.deltas, _errors_here(scene, path, layer))
    weight = seen.weights.get(layer)
    others = {
        f"∂C/∂{'W' if of == 'weight' else 'b'}^{other}": each
        for of, other, each in _all(seen)
        if (of, other) != (kind, layer)
    }
    if kind == "weight":
        assert weight is not None
        right = "∂C/∂W{l} = δ{l} (a{m})ᵀ"
        text, rate = seen.decays.get(layer, ("W{l}", 0.0))
        wanted = known.decays.get(layer, 0.0)
        if wanted:
            right += f" + {rounded(wanted)} · W{{l}}"
        rows = rows_of(scene, layer)
        found = weight_line(scene, layer, columns, rows, weight, others, tolerance)
        if found and found[0].name == "regulariser" and len(found[0].values) > 1:
            k, rate = found[0].values[:2]
            if k == 1 and abs(rate - wanted) <= 1e-6 * abs(rate):
                return [Answer("weight", layer, right, right, "", "", 0.0)]
            plain = Answer("weight", layer, "∂C/∂W{l} = δ{l} (a{m})ᵀ", right, "factor", "", 0.0)
            if k == 1:
                return [_decay_answer(plain, "W{l}", float(rate), wanted, right)]
        answers = _answers("weight", layer, found, known, right)
        if text != "W{l}" or abs(rate - wanted) > 1e-6 * max(abs(rate), abs(wanted)):
            answers = [_decay_answer(answer, text, rate, wanted, right) for answer in answers]
        return answers
    right = "∂C/∂b{l} = δ{l}"
    values = seen.biases[layer]
    found = bias_line(scene, layer, columns, values, weight, others, tolerance)
    if not found or found[0].name == "unwritten" or found[0].cost > 1:
        leak = _leaked(scene, path, layer, values, tolerance)
        if leak is not None:
            return [leak]
    answers = _answers("bias", layer, found, known, right)
    is_softmax = scene.problem.loss == "cross_entropy" and not scene.is_active(scene.depth)
    if found and found[0].name == "unwritten" and layer == scene.depth and is_softmax:
        if not np.any(values):
            words = "the leaf is zero; its values, whose sum is 0, may be added to another bias"
            answers.insert(0, answers[0]._replace(name="leaked-slot", words=words))
    return answers


def _decay_answer(answer: Answer, text: str, rate: float, wanted: float, right: str) -> Answer:
    """The answer for a weight derivative with another regulariser than the loss has."""
    written = f"∂C/∂W{{l}} = δ{{l}} (a{{m}})ᵀ + {rounded(rate)} · {text}"
    if text == "W{l}" and wanted:
        ratio = rate / wanted
        words = f"the regulariser is {rounded(ratio)} times that of the loss"
        if rate == 0:
            written, words = "∂C/∂W{l} = δ{l} (a{m})ᵀ", "the regulariser of the loss is missing"
    else:
        what = {"W{l}": "the parameter", "sign W{l}": "its sign", "1": "1"}[text]
        words = f"{rounded(rate)} times {what} is added, unlike in the loss; remove this term"
    if answer.name == "unknown":
        return answer
    is_plain = answer.cost == 0 or answer.yours == "∂C/∂W{l} = δ{l} (a{m})ᵀ"
    if is_plain:
        return Answer("weight", answer.layer, written, right, "regulariser", words, 1.0, rate)
    return answer._replace(
        yours=f"{answer.yours} + {rounded(rate)} · {text}",
        words=f"{answer.words}; also {words}",
        cost=answer.cost + 1,
    )


def _errors_here(scene: Scene, path: Path, layer: int) -> dict[str, Array]:
    return output_errors(scene) if layer == scene.depth else {}


def _all(seen: Seen) -> Iterator[tuple[str, int, Sequence[Array]]]:
    for layer, weight in seen.weights.items():
        yield "weight", layer, weight.each
    for layer, values in seen.biases.items():
        yield "bias", layer, list(values.T)


def _leaked(scene: Scene, path: Path, layer: int, seen: Array, tolerance: float) -> Answer | None:
    """Bias derivatives of other layers that are added to one entry of this bias."""
    error = seen - path.deltas[layer]
    slot = int(np.argmax(np.max(np.abs(error), axis=1)))
    largest = max(np.abs(seen).max(), np.abs(path.deltas[layer]).max())
    if np.max(np.abs(np.delete(error, slot, axis=0)), initial=0.0) > tolerance * largest:
        return None
    biased = [one for one in path.deltas if one != layer and scene.has(one, "bias")]
    for count in range(1, len(biased) + 1):
        for owners in itertools.combinations(biased, count):
            total = sum(path.deltas[owner].sum(axis=0) for owner in owners)
            if np.max(np.abs(error[slot] - total)) <= tolerance * largest:
                names = " and ".join(f"{owner}/bias" for owner in sorted(owners, reverse=True))
                terms = " + ".join(f"Σ ∂C/∂b^{owner}" for owner in sorted(owners, reverse=True))
                words = (
                    f"the derivatives of {names} are added to slot {slot} of {layer}/bias, perhaps "
                    "because an index is used after its loop; add each to its own slot"
                )
                text = f"∂C/∂b{{l}}[{slot}] = δ{{l}}[{slot}] + {terms}"
                right = "∂C/∂b{l} = δ{l}"
                return Answer("bias", layer, text, right, "leaked-slot", words, 1.0)
    return None
