"""The user's gradients of single examples and of batches."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from manual_grads.check.formulas import Array, Problem, scene_of, targets_of
from manual_grads.check.lines import Leaf

TOLERANCES = {"float64": 1e-10, "float32": 3e-4}
MOST_SINGLES = 7
"""The largest number of single examples whose gradients are measured."""
Named = Mapping[str, Array]
Leaves = dict[Leaf, Array]


class Question(NamedTuple):
    """The user's gradient, the right gradient, and the data on which they are compared.

    `yours` and `right` return the gradient of a batch by leaf name. `draws` has pairs of parameters
    and batch, the given pair first. If `is_own_loss`, the user wrote the loss.
    """

    problem: Problem | None
    is_own_loss: bool
    yours: Callable[[Any, tuple], Named]
    right: Callable[[Any, tuple], Named]
    draws: Sequence[tuple[Any, tuple]]
    precision: str

    @property
    def tolerance(self) -> float:
        """The relative difference that rounding can explain."""
        return TOLERANCES[self.precision]

    def keyed(self, leaves: Named) -> Leaves:
        """The leaves by kind and layer, such as ("weight", 2); without a network, by (name, 0)."""
        found = {name: np.asarray(value, float) for name, value in leaves.items()}
        if self.problem is None:
            return {(name, 0): value for name, value in found.items()}
        split = {name: name.split("/") for name in found}
        return {(split[k][1], int(split[k][0])): value for k, value in found.items()}

    def tried(self, params: Any, *batch: Any) -> Leaves:
        """The user's gradient of a batch; an empty dict if it raises an error."""
        try:
            return self.keyed(self.yours(params, batch))
        except Exception:  # then these examples are not used
            return {}


class Measured(NamedTuple):
    """The user's gradient of single examples and of batches, for one item of `Question.draws`."""

    params: Any
    batch: tuple
    singles: list[Leaves]
    wholes: dict[int, Leaves]  # n → gradient of the first n examples

    def part(self, rows: slice) -> tuple:
        """The examples `rows` of the batch."""
        return tuple(array[rows] for array in self.batch)


class Batch(NamedTuple):
    """A batch, with the user's gradients of the whole batch and of each single example.

    `scene` has the values of the units or is None, and `theta` has the parameters. `lines` has
    the derivatives of each example that are right for the user's δ. `decays` has the right λ by
    layer. `share` is 1/n if the loss is a mean over the n examples, and 1 if it is a sum.
    """

    scene: Any
    theta: Leaves
    whole: Leaves
    singles: Sequence[Leaves]
    lines: Sequence[Leaves]
    decays: Mapping[int, float]
    share: float
    tolerance: float


def scene_on(question: Question, measured: Sequence[Measured], examples: int | None = None) -> Any:
    """The values of the units on the first `examples` of each draw; None without a network."""
    if question.problem is None:
        return None
    batches = []
    for one in measured:
        images, labels = one.part(slice(examples))
        batches.append(
            (np.asarray(images, float), np.asarray(targets_of(question.problem, labels)))
        )
    draws = [jax.tree.map(np.asarray, one.params) for one in measured]
    return scene_of(question.problem, draws, batches)


def measured_on(question: Question, draw: tuple[Any, tuple]) -> Measured | None:
    """The user's gradients on examples of one draw; None if the user's code raises an error."""
    params, batch = draw[0], tuple(array[:MOST_SINGLES] for array in draw[1])
    n = len(batch[0])
    sizes = sorted({n, n - 2, 3, 2} & set(range(2, n + 1)))
    one = Measured(params, batch, [], {})
    parts = [slice(k, k + 1) for k in range(n)] + [slice(0, k) for k in sizes]
    found = [question.tried(params, *one.part(rows)) for rows in parts]
    if not all(found):
        return None
    return one._replace(singles=found[:n], wholes=dict(zip(sizes, found[n:], strict=True)))


def right_share(question: Question, one: Measured) -> Callable[[int], float]:
    """Returns the function share(n): 1/n if the loss is a mean over the examples, 1 if a sum."""
    if question.problem is not None and not question.is_own_loss:
        return question.problem.share
    whole = question.keyed(question.right(one.params, one.batch))
    leaf = max(whole, key=lambda name: np.abs(whole[name]).max())
    total = sum(single[leaf] for single in right_singles(question, one))
    is_sum = np.allclose(total, whole[leaf], 0.0, 10 * question.tolerance * np.abs(total).max())
    return (lambda n: 1.0) if is_sum else (lambda n: 1 / n)


def right_singles(question: Question, one: Measured) -> list[Leaves]:
    """Autodiff's gradients of the single examples."""
    parts = [one.part(slice(k, k + 1)) for k in range(len(one.singles))]
    return [question.keyed(question.right(one.params, part)) for part in parts]
