"""From the user's gradient to the causes: on whole batches, single examples, and again as a batch.

1. calls      does a second call with the same arguments return the same?
2. whole      is the finished gradient clipped, or rounded to few bits?
3. examples   which line is wrong for single examples, of the given and of new random parameters?
4. batches    does each example of a batch count once?
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from manual_grads.check.diagnosis import calls, finished
from manual_grads.check.diagnosis.batches import Batch, batch_answers
from manual_grads.check.diagnosis.causes import Cause, causes_of, merged
from manual_grads.check.diagnosis.mixtures import gradient_of, mixed_answers
from manual_grads.check.formulas import Array, Problem, scene_of
from manual_grads.check.lines import Answer, Examples, Known, Path, explain, right_output

Leaves = Mapping[str, Array]
Gradient = Callable[[Any, tuple], Leaves]
TOLERANCES = {"float64": 1e-10, "float32": 3e-4}


class Question(NamedTuple):
    """What is known about the gradient that disagrees.

    `yours` and `right` return the leaves of a batch by name; `draws` are parameters and batches,
    the given ones first. `is_own_loss` is true if the loss is not that of `problem`. `targets`
    turns labels into rows.
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
    found = finished.of_the_whole(trials)
    if found is not None:
        return [[found]]
    if question.problem is None:
        return finished.without_network(trials, params)
    tolerance = TOLERANCES[question.precision]
    with np.errstate(all="ignore"):  # formulas that are tried can divide by 0 or overflow
        return _by_lines(question, question.problem, trials, tolerance)


def _by_lines(
    question: Question, problem: Problem, trials: Sequence[Any], tolerance: float
) -> list[list[Cause]]:
    fresh = [_measured(question, draw) for draw in question.draws[1:]]
    drawn = [one for one in fresh if one is not None]
    given = _given(question, trials)
    for measured in filter(None, (drawn, [given])):
        causes = _explained(question, problem, measured, tolerance)
        if any(cause.mistake == "unknown" for each in causes for cause in each):
            stale = calls.stale(measured, problem)
            causes = causes if stale is None else [[stale]]
        if causes:
            return causes
    return [[finished.unexplained(trials)]]


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


def _tried(question: Question, draw: tuple[Any, tuple]) -> dict[tuple[str, int], Array]:
    """The user's gradient of a batch; nothing if it raises an error there."""
    try:
        return _keyed(question.yours(*draw))
    except Exception:  # the given batch has raised nothing; without others, it alone is explained
        return {}


def _measured(question: Question, draw: tuple[Any, tuple]) -> Measured | None:
    """The user's gradient on one draw; None if it raises an error there."""
    params, (images, labels) = draw
    examples = len(images)
    sizes = sorted({examples, examples - 2, 3, 2} & set(range(2, examples + 1)))
    parts = [slice(n, n + 1) for n in range(examples)] + [slice(0, n) for n in sizes]
    found = [_tried(question, (params, (images[part], labels[part]))) for part in parts]
    if not all(found):
        return None
    rows = np.asarray(question.targets(labels), np.float64)
    batches = dict(zip(sizes, found[examples:], strict=True))
    return Measured(params, images, labels, rows, found[:examples], batches)


def _given(question: Question, trials: Sequence[Any]) -> Measured:
    """The trials of the given batch in the same form."""
    params, (images, labels) = question.draws[0]
    params = [{k: np.asarray(leaf) for k, leaf in leaves.items()} for leaves in params]
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
    examples = Examples(
        problem, [one.params for one in measured], [(one.images, one.rows) for one in measured]
    )
    known = _known(question, examples, measured)
    leaves = {
        leaf: [single[leaf] for one in measured for single in one.singles]
        for leaf in measured[0].singles[0]
    }
    if any(np.any(leaf) for each in leaves.values() for leaf in each):
        paths = explain(examples, leaves, tolerance, known)
    else:  # single examples show nothing; right ones show how those of a batch count
        paths = [Path({}, ())]
        measured = [one._replace(singles=_right_singles(problem, one)) for one in measured]
    batches = _batches(measured, known)
    counts: list[Answer] = []
    if batches:
        reduction = _reduction(question, problem, measured, tolerance)
        counts, mixed, unusual = batch_answers(batches, reduction, tolerance)
        paths, counts, mixed = _recounted(
            problem, measured, known, paths, (counts, mixed), reduction, tolerance
        )
        better = mixed_answers(problem, batches, mixed, tolerance) if mixed or unusual else []
        if better and better[0].kind == "delta":  # it explains all leaves
            top = ("delta", problem.network.depth)
            kept = [tuple(a for a in p.answers if (a.kind, a.layer) != top) for p in paths]
            paths, counts = [Path({}, answers) for answers in kept], better
        elif mixed:
            counts = counts + (better or _order_matters(question, measured[0], mixed))
    found = [merged(path.answers, counts, problem) for path in paths]
    causes = [causes_of(answers) for answers in found if answers]
    different = {tuple((c.mistake, c.places) for c in each): each for each in reversed(causes)}
    return list(reversed(different.values()))[:4]


def _batches(measured: Sequence[Measured], known: Known) -> list[Batch]:
    return [
        Batch(one.params, one.images[:n], one.rows[:n], whole, one.singles[:n], known.decays)
        for one in measured
        for n, whole in one.batches.items()
    ]


def _recounted(
    problem: Problem,
    measured: Sequence[Measured],
    known: Known,
    paths: list[Path],
    counts: tuple[list[Answer], list[Any]],
    reduction: Callable[[int], float],
    tolerance: float,
) -> tuple[list[Path], list[Answer], list[Any]]:
    """The paths, answers and mixed leaves, if miscounted examples explain zeros and factors.

    An example that is left out or counted twice makes a batch of one example 0 or twice as large.
    """
    odd = [a for path in paths for a in path.answers if a.number != 1 or a.yours.endswith("= 0")]
    explained = []
    for answer in odd if counts[0] or counts[1] else ():
        changed = []
        for one in measured:
            right = _right_singles(problem, one)
            singles = [
                {
                    leaf: of_right[leaf] if _is_below(leaf, answer) else v
                    for leaf, v in single.items()
                }
                for single, of_right in zip(one.singles, right, strict=True)
            ]
            changed.append(one._replace(singles=singles))
        again, mixed, _ = batch_answers(_batches(changed, known), reduction, tolerance)
        new = [a for a in again if a.name == "overwritten" and a not in counts[0]]
        if new and not set(mixed) - set(counts[1]):
            explained.append(answer)
            measured, counts = changed, (again, mixed)
    kept = [tuple(a for a in path.answers if a not in explained) for path in paths]
    return [Path({}, answers) for answers in dict.fromkeys(kept)], *counts


def _is_below(leaf: tuple[str, int], answer: Answer) -> bool:
    """Whether the leaf is that of the answer, or depends on its δ."""
    is_above = answer.kind == "delta" and leaf[1] <= answer.layer
    return is_above or leaf == (answer.kind, answer.layer)


def _right_singles(problem: Problem, one: Measured) -> list[dict[tuple[str, int], Array]]:
    """The right gradient of each single example."""
    singles = []
    for n in range(len(one.images)):
        s = scene_of(problem, [one.params], [(one.images[n : n + 1], one.rows[n : n + 1])])
        singles.append(gradient_of(s, one.params, right_output(s), problem.l2))
    return singles


def _order_matters(question: Question, one: Measured, mixed: Sequence[Any]) -> list[Answer]:
    """The answers for leaves in which examples are mixed in an unknown way."""
    forward, backward = (
        _tried(question, (one.params, (one.images[::step].copy(), one.labels[::step].copy())))
        for step in (1, -1)
    )
    if any(
        np.max(np.abs(value - backward[leaf])) > 1e-6 * np.abs(value).max()
        for leaf, value in forward.items()
        if backward
    ):
        words = (
            "examples of a batch influence each other: its gradient depends on their order, though "
            "the mean over them does not; clear what is kept from one example to the next"
        )
        yours, right = "depends on the order of the examples", "does not"
        top = max(layer for _, layer in mixed)
        below = {leaf for leaf in forward if leaf[1] <= top}
        where = [("delta", top)] if len(mixed) > 1 and below <= set(mixed) else mixed
        where = where if len(mixed) < len(forward) else [("batch", 0)]
        return [
            Answer(kind, layer, yours, right, "not-cleared", words, 2.0) for kind, layer in where
        ]
    words = "the gradient of a batch is not made of those of its examples, and nothing explains how"
    kind, layer = mixed[0]
    return [Answer(kind, layer, "?", "each example once", "unknown", words, 6.0)]


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


def _known(question: Question, examples: Examples, measured: Sequence[Measured]) -> Known:
    """The right formulas: those of the problem, or those that explain autodiff's gradient."""
    depth, l2 = examples.problem.network.depth, examples.problem.l2
    plain = Known({}, dict.fromkeys(range(1, depth + 1), l2) if l2 else {}, None)
    if not question.is_own_loss:
        return plain
    rights = [
        _keyed(question.right(one.params, (one.images[n : n + 1], one.labels[n : n + 1])))
        for one in measured
        for n in range(len(one.singles))
    ]
    leaves = {leaf: [right[leaf] for right in rights] for leaf in rights[0]}
    path = explain(examples, leaves, TOLERANCES["float64"], plain)[0]
    texts = {(answer.kind, answer.layer): answer.yours for answer in path.answers}
    decays = {
        a.layer: a.number for a in path.answers if (a.kind, a.name) == ("weight", "regulariser")
    }
    return Known(texts, decays, path.deltas.get(depth))
