"""The user's gradient of single examples and of batches, which all questions are asked about."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from manual_grads.check.formulas import Array, Problem

Leaves = Mapping[str, Array]
Gradient = Callable[[Any, tuple], Leaves]


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


class Measured(NamedTuple):
    """The user's gradient of single examples and of batches of them, for one draw."""

    params: Any
    images: Array
    labels: Array
    rows: Array
    singles: list[dict[tuple[str, int], Array]]
    batches: dict[int, dict[tuple[str, int], Array]]  # of the first examples, by their number


def keyed(leaves: Leaves) -> dict[tuple[str, int], Array]:
    """The leaves by kind and layer, such as ("weight", 2) for "2/weight"."""
    keyed = {}
    for name, value in leaves.items():
        layer, kind = name.split("/")
        keyed[kind, int(layer)] = np.asarray(value, np.float64)
    return keyed


def tried(question: Question, draw: tuple[Any, tuple]) -> dict[tuple[str, int], Array]:
    """The user's gradient of a batch; nothing if it raises an error there."""
    try:
        return keyed(question.yours(*draw))
    except Exception:  # the given batch has raised nothing; without others, it alone is explained
        return {}


def measured_on(question: Question, draw: tuple[Any, tuple]) -> Measured | None:
    """The user's gradient on one draw; None if it raises an error there."""
    params, (images, labels) = draw
    examples = len(images)
    sizes = sorted({examples, examples - 2, 3, 2} & set(range(2, examples + 1)))
    parts = [slice(n, n + 1) for n in range(examples)] + [slice(0, n) for n in sizes]
    found = [tried(question, (params, (images[part], labels[part]))) for part in parts]
    if not all(found):
        return None
    rows = np.asarray(question.targets(labels), np.float64)
    batches = dict(zip(sizes, found[examples:], strict=True))
    return Measured(params, images, labels, rows, found[:examples], batches)


def given_by(question: Question, trials: Sequence[Any]) -> Measured:
    """The trials of the given batch in the same form."""
    params, (images, labels) = question.draws[0]
    params = [{k: np.asarray(leaf) for k, leaf in leaves.items()} for leaves in params]
    images = np.asarray(images, np.float64)
    singles = [keyed(trial.handwritten) for trial in trials if len(trial.batch[0]) == 1]
    rows = np.asarray(question.targets(labels), np.float64)
    batches = {}
    if len(singles) == len(images):
        batches = {
            len(trial.batch[0]): keyed(trial.handwritten)
            for trial in trials
            if len(trial.batch[0]) > 1
        }
    number = len(singles)
    return Measured(params, images[:number], labels[:number], rows[:number], singles, batches)
