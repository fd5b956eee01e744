"""From the user's gradient to the causes: on whole batches, single examples, and again as a batch.

1. calls      does a second call with the same arguments return the same?
2. whole      is the finished gradient clipped, or rounded to few bits?
3. examples   which line is wrong for single examples, of the given and of new random parameters?
4. batches    does each example of a batch count once?
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from manual_grads.check.diagnosis import calls, whole, without_network
from manual_grads.check.diagnosis.batches import (
    Batch,
    are_usual,
    batch_answers,
    gradient_of,
    mixed_answers,
)
from manual_grads.check.diagnosis.causes import Cause, cause_of
from manual_grads.check.diagnosis.scene import Array, scene_of
from manual_grads.check.diagnosis.search import (
    Answer,
    Examples,
    Known,
    Path,
    explain,
    right_output,
)
from manual_grads.check.diagnosis.problem import Problem

Leaves = Mapping[str, Array]
Gradient = Callable[[Any, tuple], Leaves]
TOLERANCES = {"float64": 1e-10, "float32": 3e-4}


class Question(NamedTuple):
    """What is known about the gradient that disagrees.

    `yours` and `right` return the leaves of a batch by name; `draws` are parameters and batches, the
    given ones first. `is_own_loss` is true if the loss is not that of `problem`. `targets` turns
    labels into rows.
    """

    problem: Problem | None
    is_own_loss: bool
    yours: Gradient
    right: Gradient
    draws: Sequence[tuple[Any, tuple]]
    targets: Callable[[Any], Array]
    precision: str


def diagnose(question: Question, trials: Sequence[Any], repeats: bool) -> list[list[Cause]]:
    """The causes that explain the gradient; several if they tie, and "unknown" if there is none.

    `trials` are the comparisons of the given batch, of a smaller one and of single examples.
    """
    params, batch = question.draws[0]
    if not repeats:
        return [[calls.not_repeating(lambda: question.yours(params, batch), trials[0].autodiff)]]
    found = whole.of_the_whole(trials)
    if found is not None:
        return [[found]]
    if question.problem is None:
        return without_network.causes(trials, params)
    tolerance = TOLERANCES[question.precision]
    with np.errstate(all="ignore"):  # formulas that are tried can divide by 0 or overflow
        return _by_lines(question, question.problem, trials, tolerance)


def _by_lines(
    question: Question, problem: Problem, trials: Sequence[Any], tolerance: float
) -> list[list[Cause]]:
    names = list(trials[0].handwritten)
    fresh = [_measured(question, draw) for draw in question.draws[1:]]
    drawn = [one for one in fresh if one is not None]
    given = _given(question, trials)
    causes: list[list[Cause]] = []
    for measured in (drawn, [given]):
        if not measured:
            continue
        causes = _explained(question, problem, measured, tolerance)
        if any(cause.mistake == "unknown" for each in causes for cause in each):
            stale = calls.stale(measured, problem)
            causes = causes if stale is None else [[stale]]
        if causes:
            return causes
    return [[whole.unexplained(trials, names)]]


class Measured(NamedTuple):
    """The user's gradient of single examples and of batches of them, for one draw."""

    params: Any
    images: Array
    labels: Array
    rows: Array
    singles: list[dict[tuple[str, int], Array]]
    batches: dict[int, dict[tuple[str, int], Array]]  # of the first examples, by their number


def _keyed(leaves: Leaves) -> dict[tuple[str, int], Array]:
    """The leaves by kind and layer, such as ("weight", 2) for "2/weight"."""
    keyed = {}
    for name, value in leaves.items():
        layer, kind = name.split("/")
        keyed[kind, int(layer)] = np.asarray(value, np.float64)
    return keyed


def _measured(question: Question, draw: tuple[Any, tuple]) -> Measured | None:
    """Calls the user's gradient on one draw; None if it raises an error there."""
    params, (images, labels) = draw
    examples = len(images)
    try:
        singles = [
            _keyed(question.yours(params, (images[n : n + 1], labels[n : n + 1])))
            for n in range(examples)
        ]
        batches = {
            n: _keyed(question.yours(params, (images[:n], labels[:n])))
            for n in sorted({examples, examples - 2, 3, 2} & set(range(2, examples + 1)))
        }
    except Exception:  # the given draw has raised nothing; without others, it alone is explained
        return None
    rows = np.asarray(question.targets(labels), np.float64)
    return Measured(params, images, labels, rows, singles, batches)


def _given(question: Question, trials: Sequence[Any]) -> Measured:
    """The trials of the given batch in the same form."""
    params, (images, labels) = question.draws[0]
    images = np.asarray(images, np.float64)
    singles = [_keyed(trial.handwritten) for trial in trials if len(trial.batch[0]) == 1]
    rows = np.asarray(question.targets(labels), np.float64)
    batches = {}
    if len(singles) == len(images):
        batches = {
            len(trial.batch[0]): _keyed(trial.handwritten)
            for trial in trials
            if len(trial.batch[0]) > 1
        }
    number = len(singles)
    return Measured(params, images[:number], labels[:number], rows[:number], singles, batches)


def _explained(
    question: Question, problem: Problem, measured: Sequence[Measured], tolerance: float
) -> list[list[Cause]]:
    """The causes that single examples and batches show; empty if they show none."""
    draws = [one.params for one in measured]
    examples = Examples(problem, draws, [(one.images, one.rows) for one in measured])
    known = _known(question, examples, measured, tolerance)
    leaves = {
        leaf: [single[leaf] for one in measured for single in one.singles]
        for leaf in measured[0].singles[0]
    }
    paths = explain(examples, leaves, tolerance, known)
    silent = not any(np.any(leaf) for each in leaves.values() for leaf in each)
    if silent:  # single examples show nothing; right ones show how those of a batch count
        paths = [Path({}, ())]
        measured = [one._replace(singles=_right_singles(problem, one)) for one in measured]
    batches = [
        Batch(one.params, one.images[:n], one.rows[:n], whole_leaves, one.singles[:n])
        for one in measured
        for n, whole_leaves in one.batches.items()
    ]
    counts: list[Answer] = []
    if batches:
        reduction = _reduction(question, problem, measured, tolerance)
        counts, mixed = batch_answers(batches, reduction, tolerance)
        odd = [a for a in counts if a.name == "overwritten" and not are_usual(a.yours)]
        if odd and not mixed:
            better = mixed_answers(problem, batches, [], tolerance)
            counts = better if better and better[0].kind == "delta" else counts
        if mixed:
            of_mixed = mixed_answers(problem, batches, mixed, tolerance)
            if of_mixed and of_mixed[0].kind == "delta":
                paths = [Path({}, tuple(_below(path, problem))) for path in paths]
                counts = []
            counts += of_mixed or [_order_matters(question, measured[0], mixed)]
    found = [_merged(path.answers, counts, problem) for path in paths]
    kept = [
        [cause_of(group, problem) for group in _grouped(answers)] for answers in found if answers
    ]
    different = {tuple((c.mistake, c.places) for c in each): each for each in reversed(kept)}
    return list(reversed(different.values()))[:4]


def _below(path: Path, problem: Problem) -> list[Answer]:
    """The answers of a path without those for δ^L, which another formula explains."""
    depth = problem.network.depth
    return [a for a in path.answers if (a.kind, a.layer) not in {("delta", depth)}]


def _right_singles(problem: Problem, one: Measured) -> list[dict[tuple[str, int], Array]]:
    """The right gradient of each single example."""
    singles = []
    for n in range(len(one.images)):
        s = scene_of(problem, [one.params], [(one.images[n : n + 1], one.rows[n : n + 1])])
        singles.append(gradient_of(s, one.params, right_output(s), problem.l2))
    return singles


def _order_matters(question: Question, one: Measured, mixed: Sequence[tuple[str, int]]) -> Answer:
    """The answer for leaves in which examples are mixed in an unknown way."""
    params, images, labels = one.params, one.images, one.labels
    try:
        forward = _keyed(question.yours(params, (images, labels)))
        backward = _keyed(question.yours(params, (images[::-1].copy(), labels[::-1].copy())))
    except Exception:  # then it is not known whether the order matters
        forward = backward = {}
    changed = [
        leaf
        for leaf, value in forward.items()
        if np.max(np.abs(value - backward[leaf])) > 1e-6 * np.abs(value).max()
    ]
    if changed:
        words = (
            "examples of a batch influence each other: its gradient depends on their order, though "
            "the mean over them does not; clear what is kept from one example to the next"
        )
        yours, right = "depends on the order of the examples", "does not"
        return Answer("batch", 0, yours, right, "not-cleared", words, 2.0)
    kind, layer = mixed[0]
    words = "the gradient of a batch is not made of those of its examples, and nothing explains how"
    return Answer(kind, layer, "?", "each example once", "unknown", words, 6.0)


def _reduction(
    question: Question, problem: Problem, measured: Sequence[Measured], tolerance: float
) -> Callable[[int], float]:
    """The right factor of a batch of n examples, relative to that of one."""
    if not question.is_own_loss:
        return lambda n: problem.factor(n) / problem.factor(1)
    one = measured[0]
    n = len(one.images)
    singles = [
        _keyed(question.right(one.params, (one.images[k : k + 1], one.labels[k : k + 1])))
        for k in range(n)
    ]
    right = _keyed(question.right(one.params, (one.images, one.labels)))
    leaf = max(right, key=lambda name: np.abs(right[name]).max())
    total = sum(single[leaf] for single in singles)
    is_sum = np.max(np.abs(total - right[leaf])) <= tolerance * 10 * np.abs(total).max()
    return (lambda n: 1.0) if is_sum else (lambda n: 1 / n)


def _known(
    question: Question, examples: Examples, measured: Sequence[Measured], tolerance: float
) -> Known:
    """The right formulas: those of the problem, or those that explain autodiff's gradient."""
    problem = examples.problem
    layers = range(1, problem.network.depth + 1)
    if not question.is_own_loss:
        return Known({}, dict.fromkeys(layers, problem.l2) if problem.l2 else {}, None)
    rights = [
        _keyed(question.right(one.params, (one.images[n : n + 1], one.labels[n : n + 1])))
        for one in measured
        for n in range(len(one.singles))
    ]
    leaves = {leaf: [right[leaf] for right in rights] for leaf in rights[0]}
    path = explain(examples, leaves, TOLERANCES["float64"])[0]
    texts = {(answer.kind, answer.layer): answer.yours for answer in path.answers}
    decays = {
        answer.layer: answer.number
        for answer in path.answers
        if answer.kind == "weight" and answer.name == "regulariser"
    }
    return Known(texts, decays, path.deltas.get(problem.network.depth))


def _merged(lines: Sequence[Answer], counts: Sequence[Answer], problem: Problem) -> list[Answer]:
    """The answers on lines and on batches, without those that follow from others.

    A line that is not proportional to δ lacks the 1/N in δ. A constant factor 1/C in δ^L and a sum
    over the batch are one mistake, dividing by C.
    """
    bent = [
        line for line in lines if not line.is_linear and line.kind in ("delta", "weight", "bias")
    ]

    def follows(count):
        return any(
            (line.kind == "delta" and count.kind != "batch" and count.layer <= line.layer)
            or (line.kind == "delta" and line.layer == problem.network.depth)
            or (line.kind, line.layer) == (count.kind, count.layer)
            or (count.kind == "batch" and len(bent) > 1)
            for line in bent
        )

    masked = any(line.kind == "forward" and "dropout" in line.words for line in lines)
    counts = [
        count
        for count in counts
        if not follows(count)
        and not (masked and count.name in ("unknown", "not-cleared"))
        and not (
            count.kind in ("weight", "bias")
            and count.name == "overwritten"
            and any(other.kind == "delta" for other in counts)
        )
    ]
    of_one = [line for line in lines if line.kind == "delta" and line.name in ("factor",)]
    for count in counts:
        if count.name == "nominal-batch" and of_one and count.kind == "batch":
            if abs(count.number * of_one[0].number - 1) < 1e-6:
                words = (
                    f"a batch of one example is multiplied by {of_one[0].number:.6g}, larger ones "
                    "are right; divide by the actual batch size"
                )
                return [line for line in lines if line is not of_one[0]] + [
                    count._replace(words=words)
                ]
    answers = [*lines, *counts]
    summed = [a for a in answers if a.kind == "batch" and a.name == "sum-not-mean"]
    factors = [
        a
        for a in answers
        if a.kind == "delta" and a.name in ("factor", "averaged-twice") and 0 < a.number < 1
    ]
    if summed and factors and problem.reduction == "mean":
        constant = 1 / factors[0].number
        words = f"every batch is divided by {constant:.6g}; divide by the actual batch size"
        merged = summed[0]._replace(
            name="nominal-batch", yours=f"1/{constant:.6g} Σ over the examples", words=words
        )
        return [a for a in answers if a not in (summed[0], factors[0])] + [merged]
    return list(answers)


def _grouped(answers: Sequence[Answer]) -> list[list[Answer]]:
    """Answers that are one mistake in several lines, together."""
    groups: dict[Any, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(answer.alike, []).append(answer)
    return list(groups.values())
