"""Two runs from one seed that differ in the gradient alone, and two that differ by a rounding."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from experiments.common import intervals
from mnist_jax import Config
from mnist_jax.data import Dataset
from mnist_jax.model import Params
from mnist_jax.training import evaluate, make_block, start


def apart(
    first: Iterator[Params],
    others: Mapping[str, Iterator[Params]],
    marks: Sequence[int],
    config: Config,
    dataset: Dataset,
) -> dict[str, list[dict[str, Any]]]:
    """How far each of the other runs is from the first after each step of `marks`.

    `distance` is ‖θ − θ'‖₂ / ‖θ‖₂ over all parameters; loss and accuracy are of the test examples,
    the other run's less the first's.
    """
    test = jax.tree.map(jnp.asarray, dataset.test)
    look = jax.jit(evaluate, static_argnums=0)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in others}
    for step, params, *seen in zip(marks, first, *others.values(), strict=True):
        flat, (loss, right, _) = _flat(params), look(config.architecture, params, *test)
        for name, other in zip(others, seen, strict=True):
            other_loss, other_right, _ = look(config.architecture, other, *test)
            distance = np.linalg.norm(flat - _flat(other)) / np.linalg.norm(flat)
            rows[name].append(
                {
                    "step": step,
                    "distance": intervals.finite(distance),
                    "loss_difference": intervals.finite(float(other_loss) - float(loss)),
                    "accuracy_difference": (int(other_right) - int(right)) / len(test.labels),
                }
            )
    return rows


def _flat(params: Any) -> Float[np.ndarray, " entries"]:
    leaves = (np.asarray(leaf).ravel() for leaf in jax.tree.leaves(params))
    return np.concatenate([*leaves], dtype=np.float64)


def parameters_after(
    config: Config,
    dataset: Dataset,
    marks: Sequence[int],
    change: Callable[[Params], Params] = lambda params: params,
) -> Iterator[Params]:
    """The parameters after each step of `marks`, which rise, of the run that `config` says.

    `change` is made of the initial parameters.
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
    """The parameters with the largest weight of the last layer moved to the next float.

    One rounding, of a weight that every example feels: most of layer 1's see black pixels alone.
    """
    weight = np.asarray(params[-1]["weight"])
    moved = weight.copy()
    place = np.unravel_index(np.argmax(np.abs(weight)), weight.shape)
    moved[place] = np.nextafter(weight[place], np.float32(np.inf))
    return [*params[:-1], params[-1] | {"weight": jnp.asarray(moved)}]
