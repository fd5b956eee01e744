"""From the user's gradient to the causes: on whole batches, single examples, and again as a batch.

1. calls      does a second call with the same arguments return the same?
2. whole      is the finished gradient clipped, rounded to few bits, or one entry added to another?
3. examples   which line is wrong for single examples, of the given and of new random parameters?
4. batches    does each example of a batch count once?
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from manual_grads.check import lines
from manual_grads.check.diagnosis import calls, finished, mixtures
from manual_grads.check.diagnosis.batches import Counts, counts_of
from manual_grads.check.diagnosis.causes import EVERYWHERE, Cause, causes_of, merged
from manual_grads.check.diagnosis.measured import (
    TOLERANCES,
    Batch,
    Measured,
    Question,
    measured_on,
    right_share,
    right_singles,
)
from manual_grads.check.diagnosis.recounting import recounted, relabelled
from manual_grads.check.formulas import Problem, Scene, scene_of
from manual_grads.check.lines import Known, Path


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
    with np.errstate(all="ignore"):  # formulas that are tried can divide by 0 or overflow
        drawn = [measured_on(question, draw) for draw in question.draws]
        fresh = [one for one in drawn[1:] if one is not None]
        for measured in filter(None, (fresh, [one for one in drawn[:1] if one is not None])):
            causes = _explained(question, question.problem, measured)
            if any(cause.mistake == "unknown" for each in causes for cause in each):
                stale = calls.stale(measured[0], question.problem)
                causes = causes if stale is None else [[stale]]
            if causes:
                return causes
    return [[finished.unexplained(trials)]]


def _explained(
    question: Question, problem: Problem, measured: Sequence[Measured]
) -> list[list[Cause]]:
    """The causes that single examples and batches show; empty if they show none."""
    examples = [(one.images, one.rows) for one in measured]
    scene = scene_of(problem, [one.params for one in measured], examples)
    singles = [single for one in measured for single in one.singles]
    leaves = {leaf: [single[leaf] for single in singles] for leaf in singles[0]}
    wholes = [whole for one in measured for whole in one.batches.values()]
    is_silent = not any(np.any(leaf) for one in singles for leaf in one.values())
    if is_silent and not any(np.any(leaf) for whole in wholes for leaf in whole.values()):
        return [[Cause("unwritten", (EVERYWHERE,), "every leaf is zero; compute its derivative")]]
    known = _known(question, scene, measured)
    # if single examples show nothing, right ones show how those of a batch count
    right = Path(lines.right_deltas(scene, lines.right_output(scene)), ())
    paths = [right] if is_silent else lines.explain(scene, leaves, question.tolerance, known)
    of_lines = lines.leaves_of(scene, paths[0].deltas, [*leaves], known.decays)
    share = right_share(question, measured[0])
    batches = []
    for one, part in zip(measured, scene.columns, strict=True):
        singles = of_lines[part] if is_silent else one.singles
        for n, whole in one.batches.items():
            rows, right = (one.images[:n], one.rows[:n]), of_lines[part][:n]
            given = one.params, *rows, whole, singles[:n], right
            batches.append(Batch(*given, known.decays, share(n), question.tolerance))
    counts = Counts([], [], False)
    answers = [path.answers for path in paths]
    if batches:
        odd = list(dict.fromkeys(answer for each in answers for answer in each))
        explained, counts = recounted(batches, odd, counts_of(batches))
        if counts.is_odd:
            others = [answer for answer in odd if answer not in explained]
            more, counts = relabelled(question, problem, measured, batches, others, counts)
            explained += more
        answers = [tuple(a for a in each if a not in explained) for each in answers]
        if counts.is_odd:
            better = mixtures.mixed_answers(problem, batches, counts.mixed)
            if better and better[0].kind == "delta":  # it explains all leaves
                top = ("delta", problem.network.depth)
                answers = [tuple(a for a in each if (a.kind, a.layer) != top) for each in answers]
                counts = Counts(better, [], False)
            elif counts.mixed:
                better = better or mixtures.order_matters(question, measured[0], counts.mixed)
                counts = counts._replace(answers=counts.answers + better)
    found = [merged(each, counts.answers, problem) for each in dict.fromkeys(answers)]
    causes = [causes_of(answers) for answers in found if answers]
    different = {tuple((c.mistake, c.places) for c in each): each for each in reversed(causes)}
    return list(reversed(different.values()))[:4]


def _known(question: Question, scene: Scene, measured: Sequence[Measured]) -> Known:
    """The right formulas: those of the problem, or those that explain autodiff's gradient."""
    depth, l2 = scene.depth, scene.problem.l2
    plain = Known({}, dict.fromkeys(range(1, depth + 1), l2) if l2 else {}, None)
    if not question.is_own_loss:
        return plain
    rights = [right for one in measured for right in right_singles(question, one)]
    leaves = {leaf: [right[leaf] for right in rights] for leaf in rights[0]}
    path = lines.explain(scene, leaves, TOLERANCES["float64"], plain)[0]
    texts = {(answer.kind, answer.layer): answer.yours for answer in path.answers}
    decays = {
        a.layer: a.number for a in path.answers if (a.kind, a.name) == ("weight", "regulariser")
    }
    return Known(texts, decays, path.deltas.get(depth))
