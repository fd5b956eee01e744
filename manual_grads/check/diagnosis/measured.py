"""The user's gradient of single examples and of batches, which all questions are asked about."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from manual_grads.check.formulas import Array, Params, Problem, Scene, scene_of
from manual_grads.check.lines import Leaf

TOLERANCES = {"float64": 1e-10, "float32": 3e-4}
MOST_SINGLES = 7
Named = Mapping[str, Array]
Leaves = dict[Leaf, Array]


class Question(NamedTuple):
    """What is known about the gradient that disagrees.

    `yours` and `right` return the leaves of a batch by name; `draws` are parameters and batches,
    the given ones first. `is_own_loss` is true if the loss is not that of `problem`. `targets`
    turns labels into rows.
    """

    problem: Problem | None
    is_own_loss: bool
    yours: Callable[[Any, tuple], Named]
    right: Callable[[Any, tuple], Named]
    draws: Sequence[tuple[Any, tuple]]
    targets: Callable[[Any], Array]
    precision: str

    @property
    def tolerance(self) -> float:
        """The relative difference that rounding can explain."""
        return TOLERANCES[self.precision]


class Measured(NamedTuple):
    """The user's gradient of single examples and of batches of them, for one draw."""

    given: Any
    images: Array
    labels: Array
    rows: Array
    singles: list[Leaves]
    batches: dict[int, Leaves]  # of the first examples, by their number

    @property
    def params(self) -> Params:
        """The parameters as NumPy arrays."""
        return [{kind: np.asarray(leaf) for kind, leaf in each.items()} for each in self.given]


class Batch(NamedTuple):
    """A batch with target rows, the user's gradient of it, and of each of its examples alone.

    `lines` are the gradients of the examples as the right weight and bias lines give them, `decays`
    the λ of the right weight derivatives, and `share` is the factor of the reduction to a mean.
    """

    params: Params
    images: Array
    rows: Array
    whole: Leaves
    singles: Sequence[Leaves]
    lines: Sequence[Leaves]
    decays: Mapping[int, float]
    share: float
    tolerance: float

    def scene(self, problem: Problem) -> Scene:
        """The values of the network on the examples."""
        return scene_of(problem, [self.params], [(self.images, self.rows)])


def keyed(leaves: Named) -> Leaves:
    """The leaves by kind and layer, such as ("weight", 2) for "2/weight"."""
    split = {name: name.split("/") for name in leaves}
    return {(split[k][1], int(split[k][0])): np.asarray(v, float) for k, v in leaves.items()}


def tried(question: Question, params: Any, images: Any, labels: Any) -> Leaves:
    """The user's gradient of a batch; nothing if it raises an error there."""
    try:
        return keyed(question.yours(params, (images, labels)))
    except Exception:  # the given batch has raised nothing; without others, it alone is explained
        return {}


def measured_on(question: Question, draw: tuple[Any, tuple]) -> Measured | None:
    """The user's gradient on the first examples of one draw; None if it raises an error there."""
    params, (images, labels) = draw
    images, labels = images[:MOST_SINGLES], labels[:MOST_SINGLES]
    n = len(images)
    sizes = sorted({n, n - 2, 3, 2} & set(range(2, n + 1)))
    parts = [slice(k, k + 1) for k in range(n)] + [slice(0, k) for k in sizes]
    found = [tried(question, params, images[part], labels[part]) for part in parts]
    if not all(found):
        return None
    rows = np.asarray(question.targets(labels), np.float64)
    batches = dict(zip(sizes, found[n:], strict=True))
    return Measured(params, np.asarray(images, float), labels, rows, found[:n], batches)


def right_share(question: Question, one: Measured) -> Callable[[int], float]:
    """The right factor of a batch of n examples, relative to that of one."""
    problem = question.problem
    if problem is not None and not question.is_own_loss:
        return problem.share
    whole = keyed(question.right(one.given, (one.images, one.labels)))
    leaf = max(whole, key=lambda name: np.abs(whole[name]).max())
    total = sum(single[leaf] for single in right_singles(question, one))
    is_sum = np.allclose(total, whole[leaf], 0.0, 10 * question.tolerance * np.abs(total).max())
    return (lambda n: 1.0) if is_sum else (lambda n: 1 / n)


def right_singles(question: Question, one: Measured) -> list[Leaves]:
    """Autodiff's gradients of the single examples."""
    parts = [slice(k, k + 1) for k in range(len(one.singles))]
    return [keyed(question.right(one.given, (one.images[k], one.labels[k]))) for k in parts]
