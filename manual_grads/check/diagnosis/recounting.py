"""Examples that are miscounted, or have the labels of others, while single examples mislead.

Where an example is left out or counted twice, a batch of that example alone is 0 or twice as large,
which looks like a mistake of a line. Where images have the labels of others, a batch is made of the
user's gradients of each image with that other label. Both are tried with the user's own gradients,
so that another mistake at the same time does not matter.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check.diagnosis.batches import Batch, Leaf, batch_answers
from manual_grads.check.formulas import Array, Problem, Scene, scene_of
from manual_grads.check.lines import Answer, right_output

Leaves = Mapping[Leaf, Array]
Reduction = Callable[[int], float]


class Counts(NamedTuple):
    """How the examples count: the answers, the leaves without any, and if a count is unusual."""

    answers: list[Answer]
    mixed: list[Leaf]
    is_unusual: bool

    @property
    def cost(self) -> int:
        """How much is wrong or not explained."""
        return len(self.answers) + 100 * (len(self.mixed) + self.is_unusual)


def counts_of(batches: Sequence[Batch], reduction: Reduction, tolerance: float) -> Counts:
    """How the examples of the batches count."""
    return Counts(*batch_answers(batches, reduction, tolerance))


def right_deltas(s: Scene) -> dict[int, Array]:
    """δ of every layer, by the right formulas."""
    deltas = {s.depth: right_output(s)}
    for layer in reversed(range(s.depth)):
        deltas[layer] = s.back(layer + 1, deltas[layer + 1]) * s.slope(layer)
    return deltas


def leaves_of(
    s: Scene, deltas: Mapping[int, Array], leaves: Sequence[Leaf], decays: Mapping[int, float]
) -> list[dict[Leaf, Array]]:
    """The right weight and bias derivatives of each example, from the δ of each layer."""
    theta = {layer: s.theta(layer, "weight") for kind, layer in leaves if kind == "weight"}
    return [
        {
            (kind, layer): deltas[layer][:, n]
            if kind == "bias"
            else np.outer(deltas[layer][:, n], s.a[layer - 1][:, n])
            + decays.get(layer, 0.0) * theta[layer][n]
            for kind, layer in leaves
        }
        for n in range(s.x.shape[1])
    ]


def recounted(
    batches: Sequence[Batch],
    lines: Sequence[Sequence[Leaves]],
    answers: Sequence[Answer],
    counts: Counts,
    reduction: Reduction,
    tolerance: float,
) -> tuple[list[Answer], Counts]:
    """The answers on lines that miscounted examples explain, and the counts without them.

    `lines` are the leaves of each example as they follow from its δ, for each batch.
    """
    explained: list[Answer] = []
    if counts.cost == 0:
        return explained, counts
    for answer in answers:
        is_zero = answer.yours.endswith("= 0")
        if not is_zero and (answer.number == 1 or answer.name == "regulariser"):
            continue
        changed = [
            batch._replace(
                singles=[
                    {
                        leaf: (of_line[leaf] if is_zero else value / answer.number)
                        if _is_below(leaf, answer)
                        else value
                        for leaf, value in single.items()
                    }
                    for single, of_line in zip(batch.singles, line, strict=True)
                ]
            )
            for batch, line in zip(batches, lines, strict=True)
        ]
        again = counts_of(changed, reduction, tolerance)
        new = [one for one in again.answers if one not in counts.answers]
        if new and all(one.name == "overwritten" for one in new) and again.cost <= counts.cost:
            explained.append(answer)
            batches, counts = changed, again
    return explained, counts


def _is_below(leaf: Leaf, answer: Answer) -> bool:
    """Whether the leaf is that of the answer, or depends on its δ."""
    is_above = answer.kind == "delta" and leaf[1] <= answer.layer
    return is_above or leaf == (answer.kind, answer.layer)


def label_orders(problem: Problem, batches: Sequence[Batch], tolerance: float) -> Iterator[list]:
    """For each batch, which example's label each image could have; None if that is not known."""
    for shift in (1, -1, 2, -2, 3):
        yield [np.roll(np.arange(b.examples), shift).tolist() for b in batches]
    yield [list(range(b.examples))[::-1] for b in batches]
    yield [[0] * b.examples for b in batches]
    yield [[b.examples - 1] * b.examples for b in batches]
    yield [_read_off(problem, batch, tolerance) for batch in batches]


def _read_off(problem: Problem, batch: Batch, tolerance: float) -> list[int] | None:
    """The order that δ^L of each example shows, if a weight derivative gives it."""
    s, n = scene_of(problem, [batch.params], [(batch.images, batch.rows)]), batch.examples
    a = s.a[-2]
    if np.linalg.matrix_rank(a) < n:
        return None
    factor = problem.factor(n) / problem.factor(1)
    delta = batch.whole["weight", s.depth] @ np.linalg.pinv(a.T) / factor
    each = np.stack([right_output(s._replace(y=s.y[:, [m] * n])) for m in range(n)])
    error = np.max(np.abs(each - delta), axis=1)  # [label, image]
    if np.any(error.min(axis=0) > 1e4 * tolerance * np.abs(delta).max()):
        return None
    is_own = np.diag(error) <= 2 * error.min(axis=0)
    return np.where(is_own, np.arange(n), error.argmin(axis=0)).tolist()


def labels_answer(problem: Problem, orders: Sequence[list[int] | None]) -> Answer:
    """The answer for images that have these labels of others."""
    shown = next(order for order in orders if order and order != list(range(len(order))))
    odd = ", ".join(f"image {i} has label {j}" for i, j in enumerate(shown) if i != j)
    words = f"images have the labels of others: of {len(shown)} examples, {odd}; use each image "
    words += "with its own label"
    depth, right = problem.network.depth, "δ{l} with y of each example"
    yours = "δ{l} with y of other examples"
    return Answer("delta", depth, yours, right, "labels-shifted", words, 1.0)
