"""From the user's gradient to the causes: on whole batches, single examples, and again as a batch.

1. calls      does a second call with the same arguments return the same?
2. whole      is the finished gradient clipped, or rounded to few bits?
3. examples   which line is wrong for single examples, of the given and of new random parameters?
4. batches    does each example of a batch count once?
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from manual_grads.check.diagnosis import calls, finished
from manual_grads.check.diagnosis.batches import Batch
from manual_grads.check.diagnosis.causes import EVERYWHERE, Cause, causes_of, merged
from manual_grads.check.diagnosis.measured import (
    Measured,
    Question,
    given_by,
    keyed,
    measured_on,
    tried,
)
from manual_grads.check.diagnosis.mixtures import mixed_answers
from manual_grads.check.diagnosis.recounting import (
    Counts,
    counts_of,
    label_orders,
    labels_answer,
    leaves_of,
    recounted,
    right_deltas,
)
from manual_grads.check.formulas import Problem, scene_of
from manual_grads.check.lines import Answer, Examples, Known, Path, explain

TOLERANCES = {"float64": 1e-10, "float32": 3e-4}


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
    fresh = [measured_on(question, draw) for draw in question.draws[1:]]
    drawn = [one for one in fresh if one is not None]
    given = given_by(question, trials)
    for measured in filter(None, (drawn, [given])):
        causes = _explained(question, problem, measured, tolerance)
        if any(cause.mistake == "unknown" for each in causes for cause in each):
            stale = calls.stale(measured, problem)
            causes = causes if stale is None else [[stale]]
        if causes:
            return causes
    return [[finished.unexplained(trials)]]


def _explained(
    question: Question, problem: Problem, measured: Sequence[Measured], tolerance: float
) -> list[list[Cause]]:
    """The causes that single examples and batches show; empty if they show none."""
    examples = Examples(
        problem, [one.params for one in measured], [(one.images, one.rows) for one in measured]
    )
    known = _known(question, examples, measured)
    names = list(measured[0].singles[0])
    leaves = {leaf: [one[leaf] for each in measured for one in each.singles] for leaf in names}
    scene = scene_of(*examples)
    is_silent = not any(np.any(leaf) for each in leaves.values() for leaf in each)
    everything = (v for one in measured for b in one.batches.values() for v in b.values())
    if is_silent and not any(map(np.any, everything)):
        return [[Cause("unwritten", (EVERYWHERE,), "every leaf is zero; compute its derivative")]]
    # if single examples show nothing, right ones show how those of a batch count
    path = Path(right_deltas(scene), ())
    paths = [path] if is_silent else explain(examples, leaves, tolerance, known)
    of_lines = leaves_of(scene, paths[0].deltas, names, known.decays)
    lines = [of_lines[part] for part in scene.columns]
    if is_silent:
        measured = [one._replace(singles=line) for one, line in zip(measured, lines, strict=True)]
    batches, of_batches = _batches(measured, lines, known)
    counts = Counts([], [], False)
    if batches:
        reduction = _reduction(question, problem, measured, tolerance)
        counts = counts_of(batches, reduction, tolerance)
        odd = list(dict.fromkeys(answer for path in paths for answer in path.answers))
        explained, counts = recounted(batches, of_batches, odd, counts, reduction, tolerance)
        if counts.mixed or counts.is_unusual:
            others = [answer for answer in odd if answer not in explained]
            more, counts = _relabelled(
                question, problem, measured, batches, others, counts, reduction, tolerance, known
            )
            explained += more
        paths = [
            Path({}, answers)
            for answers in dict.fromkeys(
                tuple(a for a in path.answers if a not in explained) for path in paths
            )
        ]
        if counts.mixed or counts.is_unusual:
            better = mixed_answers(problem, batches, counts.mixed, tolerance)
            if better and better[0].kind == "delta":  # it explains all leaves
                top = ("delta", problem.network.depth)
                kept = [tuple(a for a in p.answers if (a.kind, a.layer) != top) for p in paths]
                paths, counts = [Path({}, answers) for answers in kept], Counts(better, [], False)
            elif counts.mixed:
                better = better or _order_matters(question, measured[0], counts.mixed)
                counts = counts._replace(answers=counts.answers + better)
    found = [merged(path.answers, counts.answers, problem) for path in paths]
    causes = [causes_of(answers) for answers in found if answers]
    different = {tuple((c.mistake, c.places) for c in each): each for each in reversed(causes)}
    return list(reversed(different.values()))[:4]


def _batches(
    measured: Sequence[Measured], lines: Sequence[Sequence[Any]], known: Known
) -> tuple[list[Batch], list[Sequence[Any]]]:
    """The batches of all draws, and for each the leaves of its examples by their lines."""
    batches, of_batches = [], []
    for one, line in zip(measured, lines, strict=True):
        for n, whole in one.batches.items():
            rows = one.images[:n], one.rows[:n]
            batches.append(Batch(one.params, *rows, whole, one.singles[:n], known.decays))
            of_batches.append(line[:n])
    return batches, of_batches


def _relabelled(
    question: Question,
    problem: Problem,
    measured: Sequence[Measured],
    batches: Sequence[Batch],
    odd: Sequence[Answer],
    counts: Counts,
    reduction: Callable[[int], float],
    tolerance: float,
    known: Known,
) -> tuple[list[Answer], Counts]:
    """The counts of examples whose images have other labels, if that explains more.

    The user's gradient of an image with another label is computed when it is needed.
    """
    draws = [one for one in measured for _ in one.batches]
    pairs: dict[tuple[int, int, int], Any] = {}

    def pair(draw, i, j):
        key = id(draw), i, j
        if key not in pairs:
            batch = draw.images[i : i + 1], draw.labels[j : j + 1]
            pairs[key] = tried(question, (draw.params, batch))
        return pairs[key]

    for orders in label_orders(problem, batches, tolerance):
        changed, lines = [], []
        for draw, batch, order in zip(draws, batches, orders, strict=True):
            if order is None:
                continue
            rows = batch.rows[order]
            singles = [pair(draw, i, j) for i, j in enumerate(order)]
            if not all(singles):
                return [], counts
            changed.append(batch._replace(rows=rows, singles=singles))
            s = scene_of(problem, [batch.params], [(batch.images, rows)])
            lines.append(leaves_of(s, right_deltas(s), list(batch.whole), known.decays))
        if not changed or all(o is None or o == list(range(len(o))) for o in orders):
            continue
        again = counts_of(changed, reduction, tolerance)
        explained, again = recounted(changed, lines, odd, again, reduction, tolerance)
        if again.mixed or again.is_unusual:
            continue
        answer = labels_answer(problem, orders)
        return explained, Counts([answer, *again.answers], [], False)
    return [], counts


def _order_matters(question: Question, one: Measured, mixed: Sequence[Any]) -> list[Answer]:
    """The answers for leaves in which examples are mixed in an unknown way."""
    forward, backward = (
        tried(question, (one.params, (one.images[::step].copy(), one.labels[::step].copy())))
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
        keyed(question.right(one.params, (one.images[k : k + 1], one.labels[k : k + 1])))
        for k in range(n)
    ]
    right = keyed(question.right(one.params, (one.images, one.labels)))
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
        keyed(question.right(one.params, (one.images[n : n + 1], one.labels[n : n + 1])))
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
