"""Examples that are miscounted, or have the labels of others, while single examples mislead.

Where an example is left out or counted twice, a batch of that example alone is 0 or twice as large,
which looks like a mistake of a line. Where images have the labels of others, a batch is made of the
user's gradients of each image with that other label. Both are tried with the user's own gradients,
so that another mistake at the same time does not matter.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np

from manual_grads.check.diagnosis.batches import Counts, counts_of
from manual_grads.check.diagnosis.measured import Batch, Leaves, Measured, Question, tried
from manual_grads.check.formulas import Problem
from manual_grads.check.lines import Answer, leaves_of, right_deltas, right_output

Order = list[int]


def recounted(
    batches: Sequence[Batch], answers: Sequence[Answer], counts: Counts
) -> tuple[list[Answer], Counts]:
    """The answers on lines that miscounted examples explain, and the counts without them."""
    explained: list[Answer] = []
    for answer in answers if counts.cost else ():
        is_zero = answer.yours.endswith("= 0")
        if not is_zero and (answer.number == 1 or answer.name == "regulariser"):
            continue
        changed = [
            batch._replace(singles=[*map(_without(answer, is_zero), batch.singles, batch.lines)])
            for batch in batches
        ]
        again = counts_of(changed)
        new = [one for one in again.answers if one not in counts.answers]
        if new and all(one.name == "overwritten" for one in new) and again.cost <= counts.cost:
            explained.append(answer)
            batches, counts = changed, again
    return explained, counts


def _without(answer: Answer, is_zero: bool) -> Callable[[Leaves, Leaves], Leaves]:
    """A function that takes the answer's mistake out of the leaves of one example."""

    def right(leaf, value, of_line):
        is_above = answer.kind == "delta" and leaf[1] <= answer.layer
        if is_above or leaf == (answer.kind, answer.layer):
            return of_line[leaf] if is_zero else value / answer.number
        return value

    return lambda single, line: {leaf: right(leaf, value, line) for leaf, value in single.items()}


def relabelled(
    question: Question,
    problem: Problem,
    draws: Sequence[Measured],
    batches: Sequence[Batch],
    odd: Sequence[Answer],
    counts: Counts,
) -> tuple[list[Answer], Counts]:
    """The counts of examples whose images have other labels, if that explains more."""

    @cache
    def pair(number, i, j):
        """The user's gradient of an image with another label."""
        one = draws[number]
        return tried(question, one.given, one.images[i : i + 1], one.labels[j : j + 1])

    numbers = [number for number, one in enumerate(draws) for _ in one.batches]
    for orders in _label_orders(problem, batches):
        changed = []
        for number, batch, order in zip(numbers, batches, orders, strict=True):
            if order is not None:
                rows, singles = batch.rows[order], [pair(number, *ij) for ij in enumerate(order)]
                if not all(singles):
                    return [], counts
                s = batch._replace(rows=rows).scene(problem)
                lines = leaves_of(s, right_deltas(s, right_output(s)), [*batch.whole], batch.decays)
                changed.append(batch._replace(rows=rows, singles=singles, lines=lines))
        shown = next((o for o in orders if o is not None and o != [*range(len(o))]), None)
        if shown is None:
            continue
        explained, again = recounted(changed, odd, counts_of(changed))
        if not again.is_odd:
            images = ", ".join(f"image {i} has label {j}" for i, j in enumerate(shown) if i != j)
            words = f"images have the labels of others: of {len(shown)} examples, {images}; use "
            words += "each image with its own label"
            yours, right = "δ{l} with y of other examples", "δ{l} with y of each example"
            top = Answer("delta", problem.network.depth, yours, right, "labels-shifted", words)
            return explained, Counts([top, *again.answers], [], False)
    return [], counts


def _label_orders(problem: Problem, batches: Sequence[Batch]) -> Iterator[list[Order | None]]:
    """For each batch, which example's label each image could have; None if that is not known."""
    sizes = [len(batch.images) for batch in batches]
    for shift in (1, -1, 2, -2, 3):
        yield [np.roll(np.arange(n), shift).tolist() for n in sizes]
    yield [[*range(n)][::-1] for n in sizes]
    yield [[0] * n for n in sizes]
    yield [[n - 1] * n for n in sizes]
    yield [_read_off(problem, batch) for batch in batches]


def _read_off(problem: Problem, batch: Batch) -> Order | None:
    """The order that δ^L of each example shows, if a weight derivative gives it."""
    s, n = batch.scene(problem), len(batch.images)
    a = s.a[-2]
    if np.linalg.matrix_rank(a) < n:
        return None
    delta = batch.whole["weight", s.depth] @ np.linalg.pinv(a.T) / problem.share(n)
    each = np.stack([right_output(s._replace(y=s.y[:, [m] * n])) for m in range(n)])
    error = np.max(np.abs(each - delta), axis=1)  # [label, image]
    if np.any(error.min(axis=0) > 1e4 * batch.tolerance * np.abs(delta).max()):
        return None
    is_own = np.diag(error) <= 2 * error.min(axis=0)
    return np.where(is_own, np.arange(n), error.argmin(axis=0)).tolist()
