"""Finds the causes of a wrong gradient with four tests, in this order.

1. calls      does a second call with the same arguments return the same gradient?
2. whole      is the gradient clipped, rounded, or right for another activation? are some entries
              added to another entry?
3. examples   which line is wrong for single examples?
4. batches    is each example of a batch counted once?

Tests 3 and 4 use random parameters first. If they find no cause, they use the user's parameters.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from manual_grads.architecture import ACTIVATION_NAMES
from manual_grads.check import lines
from manual_grads.check.diagnosis import mixed_examples, without_network
from manual_grads.check.diagnosis.batches import Counts, counts_of
from manual_grads.check.diagnosis.causes import EVERYWHERE, Cause, causes_of, merged
from manual_grads.check.diagnosis.measured import (
    TOLERANCES,
    Batch,
    Leaves,
    Measured,
    Question,
    measured_on,
    right_share,
    right_singles,
    scene_on,
)
from manual_grads.check.formulas import Problem, Scene
from manual_grads.check.lines import Answer, Known
from manual_grads.leaves import named_leaves

Answers = tuple[Answer, ...]


def diagnose(question: Question, trials: Sequence[Any], repeats: bool) -> list[list[Cause]]:
    """Alternative explanations, each a list of causes; the cause "unknown" if none is found.

    `trials` compare the user's gradient with autodiff's on the batch, on a smaller batch and on
    single examples. `repeats` is true if a second call returned the same gradient.
    """
    params, batch = question.draws[0]
    if not repeats:
        return [[without_network.not_repeating(lambda: question.yours(params, batch))]]
    found = without_network.of_the_whole(trials) or _of_another_activation(question, trials[-1])
    if found is not None:
        return [[found]]
    with np.errstate(all="ignore"):  # wrong formulas can divide by 0 or overflow
        drawn = [measured_on(question, draw) for draw in question.draws]
        for some in (drawn[1:], drawn[:1]):
            measured = [one for one in some if one is not None]
            causes = _explained(question, measured) if measured else []
            if any(cause.mistake == "unknown" for each in causes for cause in each):
                stale = without_network.stale(measured[0])
                causes = causes if stale is None else [[stale]]
            if causes:
                return causes
    return [[without_network.unexplained(trials)]]


def _of_another_activation(question: Question, trial: Any) -> Cause | None:
    """The cause if the gradient is right for a network with another activation; else None."""
    problem, params = question.problem, question.draws[0][0]
    if problem is None or question.is_own_loss or len(trial.bad()) < len(trial.allowed):
        return None
    yours, one = question.keyed(trial.handwritten), Measured(params, trial.batch, [], {})
    for name in ACTIVATION_NAMES:
        other = problem._replace(network=replace(problem.network, activation=name))
        scene = scene_on(question._replace(problem=other), [one])
        deltas = lines.right_deltas(scene, lines.right_output(scene))
        right = lines.leaves_of(scene, deltas, [*yours], _decays(problem))[0]
        if all(
            np.abs(yours[leaf] - value).max() <= question.tolerance * np.abs(value).max()
            for leaf, value in right.items()
        ):
            words = f"it is right for a network with {name}: correct f, or use --activation={name}"
            yours_is, right_is = f"f = {name}", f"f = {problem.network.activation}"
            return Cause("other-activation", (EVERYWHERE,), words, yours_is, right_is)
    return None


def _decays(problem: Problem) -> dict[int, float]:
    return dict.fromkeys(range(1, problem.network.depth + 1), problem.l2) if problem.l2 else {}


def _explained(question: Question, measured: Sequence[Measured]) -> list[list[Cause]]:
    """The explanations found from single examples and batches; the list can be empty."""
    every = [leaves for one in measured for leaves in (*one.singles, *one.wholes.values())]
    if not any(np.any(leaf) for leaves in every for leaf in leaves.values()):
        return [[Cause("unwritten", (EVERYWHERE,), "every leaf is zero; compute the derivatives")]]
    silent = not any(
        np.any(leaf) for one in measured for each in one.singles for leaf in each.values()
    )
    answers, right, decays = _of_singles(question, measured, silent)
    share, batches, start = right_share(question, measured[0]), [], 0
    for one in measured:
        theta, n = question.keyed(named_leaves(one.params)), len(one.singles)
        for size, whole in one.wholes.items():
            scene, own = scene_on(question, [one], size), right[start : start + size]
            singles = own if silent else one.singles[:size]
            given = scene, theta, whole, singles, own, decays
            batches.append(Batch(*given, share(size), question.tolerance))
        start += n
    counts = Counts([], [], False)
    if batches:
        answers, counts = _of_batches(question, measured, batches, answers)
    top = max(layer for _, layer in every[0])
    found = [merged(each, counts.answers, top) for each in dict.fromkeys(answers)]
    causes = [causes_of(answers) for answers in found if answers]
    different = {tuple((c.mistake, c.places) for c in each): each for each in reversed(causes)}
    return list(reversed(different.values()))[:4]


def _of_singles(
    question: Question, measured: Sequence[Measured], silent: bool
) -> tuple[list[Answers], list[Leaves], dict[int, float]]:
    """Answers about lines, the derivatives that are right for the user's δ, and λ by layer."""
    singles = [single for one in measured for single in one.singles]
    leaves = {leaf: [single[leaf] for single in singles] for leaf in singles[0]}
    answers: list[Answers] = [()]  # if each example's gradient is 0, the batches decide
    if question.problem is None:
        right = [each for one in measured for each in right_singles(question, one)]
        theta = question.keyed(named_leaves(measured[0].params))
        if not silent:
            answers = [without_network.of_leaves(leaves, right, theta, question.tolerance)]
        return answers, right, {}
    scene = scene_on(question, measured)
    known = _known(question, scene, measured)
    deltas = lines.right_deltas(scene, lines.right_output(scene))
    if not silent:
        paths = lines.explain(scene, leaves, question.tolerance, known)
        answers, deltas = [path.answers for path in paths], paths[0].deltas
    return answers, lines.leaves_of(scene, deltas, [*leaves], known.decays), dict(known.decays)


def _of_batches(
    question: Question,
    measured: Sequence[Measured],
    batches: Sequence[Batch],
    answers: Sequence[Answers],
) -> tuple[list[Answers], Counts]:
    """The items of `answers` that miscounted examples do not explain, and the counts."""
    odd = list(dict.fromkeys(answer for each in answers for answer in each))
    explained, counts = mixed_examples.recounted(batches, odd, counts_of(batches))
    if counts.is_odd and question.problem is not None:
        others = [answer for answer in odd if answer not in explained]
        more, counts = mixed_examples.relabelled(question, measured, batches, others, counts)
        explained += more
    kept = [tuple(a for a in each if a not in explained) for each in answers]
    if counts.is_odd and question.problem is not None:
        better = mixed_examples.mixed_answers(batches)
        if better:  # `better` explains all leaves
            kept = [tuple(a for a in each if better[0].place != a.place) for each in kept]
            return kept, Counts(better, [], False)
    if counts.mixed:
        better = mixed_examples.order_matters(question, measured[0], counts.mixed)
        counts = counts._replace(answers=counts.answers + better)
    return kept, counts


def _known(question: Question, scene: Scene, measured: Sequence[Measured]) -> Known:
    """The right formulas. If the user wrote the loss, they are found in autodiff's gradient."""
    plain = Known({}, _decays(scene.problem), None)
    if not question.is_own_loss:
        return plain
    rights = [right for one in measured for right in right_singles(question, one)]
    leaves = {leaf: [right[leaf] for right in rights] for leaf in rights[0]}
    path = lines.explain(scene, leaves, TOLERANCES["float64"], plain)[0]
    texts = {answer.place: answer.yours for answer in path.answers}
    decays = {
        a.layer: a.number for a in path.answers if (a.kind, a.name) == ("weight", "regulariser")
    }
    return Known(texts, decays, path.deltas.get(scene.depth))
