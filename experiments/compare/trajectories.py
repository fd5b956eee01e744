"""How fast two runs diverge if they differ in the gradient, or by one rounding at the start."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common import intervals
from mnist_jax import Config
from mnist_jax.data import Dataset
from mnist_jax.model import Params
from mnist_jax.training import evaluate, make_block, start


def distances(
    first: Iterator[Params],
    others: Mapping[str, Iterator[Params]],
    marks: Sequence[int],
    config: Config,
    dataset: Dataset,
) -> dict[str, list[dict[str, Any]]]:
    """The differences between the first run and each of the others, after each step of `marks`.

    `distance` is the `relative_distance` of the parameters. The differences of loss and accuracy,
    on the test examples, are the other run's value minus the first run's.
    """
    test = jax.tree.map(jnp.asarray, dataset.test)
    look = jax.jit(evaluate, static_argnums=0)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in others}
    for step, params, *seen in zip(marks, first, *others.values(), strict=True):
        loss, right, _ = look(config.architecture, params, *test)
        for name, other in zip(others, seen, strict=True):
            other_loss, other_right, _ = look(config.architecture, other, *test)
            rows[name].append(
                {
                    "step": step,
                    "distance": relative_distance(params, other),
                    "loss_difference": intervals.finite(float(other_loss) - float(loss)),
                    "accuracy_difference": (int(other_right) - int(right)) / len(test.labels),
                }
            )
    return rows


def relative_distance(params: Any, others: Any) -> float | None:
    """‖θ − θ'‖₂ / ‖θ‖₂ over all parameters; None if it is not finite."""
    flat, other = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)], dtype=np.float64)
        for tree in (params, others)
    )
    return intervals.finite(np.linalg.norm(flat - other) / np.linalg.norm(flat))


def parameters_after(
    config: Config,
    dataset: Dataset,
    marks: Sequence[int],
    change: Callable[[Params], Params] = lambda params: params,
) -> Iterator[Params]:
    """Yields the parameters of a run with `config` after each step in `marks`, which must increase.

    `change` is applied to the initial parameters.
    """
    begun = start(config, dataset)
    block = jax.jit(make_block(config, begun.optimizer), donate_argnums=0)
    state = begun.state._replace(params=change(begun.state.params))
    taken = 0
    for epoch in itertools.count(1):
        for batches in begun.batches(epoch):
            if taken >= max(marks, default=0):
                return
            inside = [step - taken for step in marks if taken < step < taken + len(batches)]
            for part in jnp.split(batches, inside):
                state, _ = block(state, *begun.train, part)
                taken += len(part)
                if taken in marks:
                    yield jax.tree.map(np.asarray, state.params)


def nudged(params: Params) -> Params:
    """The parameters with the largest weight of the last layer increased to the next float.

    A weight of the last layer affects most examples; many of layer 1 only multiply 0 pixels.
    """
    weight = np.asarray(params[-1]["weight"])
    moved = weight.copy()
    place = np.unravel_index(np.argmax(np.abs(weight)), weight.shape)
    moved[place] = np.nextafter(weight[place], np.float32(np.inf))
    return [*params[:-1], params[-1] | {"weight": jnp.asarray(moved)}]
