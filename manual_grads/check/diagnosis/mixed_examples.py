"""Explains a batch gradient that is not the right sum of the gradients of single examples.

If the code leaves out the first example, the gradient of a batch of one example is 0. If the code
counts the first example twice, this gradient is doubled. Both mistakes look like a wrong line. If
the code uses the labels of other images, the batch gradient is the sum of the user's gradients for
these wrong pairs of image and label. Formulas that mix examples are tried last.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np

from manual_grads.check import formulas
from manual_grads.check.diagnosis.batches import Counts, counts_of, placed
from manual_grads.check.diagnosis.measured import Batch, Leaves, Measured, Question
from manual_grads.check.formulas import tables
from manual_grads.check.lines import Answer, Leaf, leaves_of, right_deltas, right_output

Order = list[int]


def recounted(
    batches: Sequence[Batch], answers: Sequence[Answer], counts: Counts
) -> tuple[list[Answer], Counts]:
    """The items of `answers` that miscounted examples explain, and the corrected counts."""
    explained: list[Answer] = []
    for answer in answers if counts.cost else ():
        if answer.number == 1 or answer.name == "regulariser":
            continue
        changed = [
            batch._replace(singles=[*map(_without(answer), batch.singles, batch.lines)])
            for batch in batches
        ]
        again = counts_of(changed)
        new = [one for one in again.answers if one not in counts.answers]
        if new and all(one.name == "overwritten" for one in new) and again.cost <= counts.cost:
            explained.append(answer)
            batches, counts = changed, again
    return explained, counts


def _without(answer: Answer) -> Callable[[Leaves, Leaves], Leaves]:
    """A function that removes the answer's mistake from the leaves of one example."""

    def right(leaf, value, of_line):
        is_affected = answer.kind == "delta" and leaf[1] <= answer.layer
        if is_affected or leaf == answer.place:
            return value / answer.number if answer.number else of_line[leaf]
        return value

    return lambda single, line: {leaf: right(leaf, value, line) for leaf, value in single.items()}


def relabelled(
    question: Question,
    measured: Sequence[Measured],
    batches: Sequence[Batch],
    odd: Sequence[Answer],
    counts: Counts,
) -> tuple[list[Answer], Counts]:
    """The items of `odd` that exchanged labels explain, and the counts with these labels."""

    @cache
    def pair(number, i, j):
        """The user's gradient of image i with label j."""
        one = measured[number]
        images, labels = one.batch
        return question.tried(one.params, images[i : i + 1], labels[j : j + 1])

    numbers = [number for number, one in enumerate(measured) for _ in one.wholes]
    for orders in zip(*map(_label_orders, batches), strict=True):
        changed = []
        for number, batch, order in zip(numbers, batches, orders, strict=True):
            singles = [pair(number, *ij) for ij in enumerate(order)]
            if not all(singles):
                return [], counts
            if order:
                s = batch.scene._replace(y=batch.scene.y[:, order])
                lines = leaves_of(s, right_deltas(s, right_output(s)), [*batch.whole], batch.decays)
                changed.append(batch._replace(scene=s, singles=singles, lines=lines))
        shifted = [order for order in orders if order and order != [*range(len(order))]]
        if not shifted:
            continue
        explained, again = recounted(changed, odd, counts_of(changed))
        if not again.is_odd:
            order = max(shifted, key=len)
            words = f"the images of a batch have the labels of examples {order}; use each image "
            words += "with its own label"
            yours, right = "δ{l} with y of other examples", "δ{l} with y of each example"
            top = Answer("delta", batches[0].scene.depth, yours, right, "labels-shifted", words)
            return explained, Counts([top, *again.answers], [], False)
    return [], counts


def _label_orders(batch: Batch) -> Iterator[Order]:
    """Yields orders of the labels. The last order is computed from the gradient, or is empty.

    If a^{L−1} of the n examples has rank n, ∂C/∂W^L determines δ^L of each example.
    """
    s, n = batch.scene, len(batch.singles)
    for shift in (1, -1):
        yield np.roll(np.arange(n), shift).tolist()
    yield [*range(n)][::-1]
    yield [0] * n
    yield [n - 1] * n
    a = s.a[-2]
    delta = batch.whole["weight", s.depth] @ np.linalg.pinv(a.T) / batch.share
    each = np.stack([right_output(s._replace(y=s.y[:, [m] * n])) for m in range(n)])
    error = np.max(np.abs(each - delta), axis=1)  # [label, image]
    is_known = np.linalg.matrix_rank(a) == n
    is_known &= np.all(error.min(axis=0) <= 1e4 * batch.tolerance * np.abs(delta).max())
    is_own = np.diag(error) <= 2 * error.min(axis=0)
    yield np.where(is_own, np.arange(n), error.argmin(axis=0)).tolist() if is_known else []


def mixed_answers(batches: Sequence[Batch]) -> list[Answer]:
    """One answer if a formula of `tables.MIXED` explains all batches; else an empty list."""
    top, right = batches[0].scene.depth, "δ{l} of each example"
    for text, formula in tables.MIXED.items():
        if all(_explains(batch, formula) for batch in batches):
            name = "softmax-axis" if "exp(" in formula or "softmax" in formula else "formula"
            words = tables.SENTENCES.get(name, "δ of one example depends on other examples")
            return [Answer("delta", top, f"δ{{l}} = δ{{l}} {text}", right, name, words)]
    return []


def _explains(batch: Batch, formula: str) -> bool:
    """Whether this formula of δ^L gives the gradient of the whole batch."""
    s = batch.scene
    slope, n = s.slope(s.depth), s.y.shape[1]
    names = formulas.names_of(s, s.depth, {}) | {
        "err": lambda y: right_output(s._replace(y=y)),
        "raw": lambda y: right_output(s._replace(y=y)) / np.where(slope == 0, np.nan, slope),
        "spread": lambda v: np.repeat(v.reshape(-1, 1), n, axis=1),
        "slope": slope,
    }
    delta = formulas.value_of(formula, names, s.y.shape)
    if delta is None or not np.all(np.isfinite(delta)):
        return False
    each = leaves_of(s, right_deltas(s, delta * batch.share), [*batch.whole], {})
    for leaf, values in batch.whole.items():
        decay = batch.decays.get(leaf[1], 0.0) * batch.theta[leaf] if leaf[0] == "weight" else 0.0
        error = np.abs(values - sum(one[leaf] for one in each) - decay)
        if np.max(error) > 10 * batch.tolerance * np.abs(values).max():
            return False
    return True


def order_matters(question: Question, one: Measured, mixed: Sequence[Leaf]) -> list[Answer]:
    """Answers about the leaves `mixed`: whether they depend on the order of a batch's examples."""
    forward, backward = (
        question.tried(one.params, *(array[::step].copy() for array in one.batch))
        for step in (1, -1)
    )
    if all(
        np.allclose(v, backward.get(k, v), 0, 1e-6 * np.abs(v).max()) for k, v in forward.items()
    ):
        words = "the gradient of a batch is not a weighted sum of the gradients of its examples"
        return [Answer(*mixed[0], "?", "each example once", "unknown", words)]
    words = (
        "the gradient of a batch depends on the order of its examples, although the loss does not; "
        "clear what is kept from one example to the next"
    )
    yours, right = "depends on the order of the examples", "does not"
    return placed(Answer("batch", 0, yours, right, "not-cleared", words), mixed, [*forward])
