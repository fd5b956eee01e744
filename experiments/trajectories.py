"""Two runs from one seed that differ in the gradient alone, and two that differ by a rounding."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from experiments import intervals
from mnist_jax.config import Config
from mnist_jax.data import Dataset
from mnist_jax.network import Params
from mnist_jax.optimizer import optimizer
from mnist_jax.program import steps_per_epoch
from mnist_jax.step import Purpose, epoch_batches, evaluate, init_state, key_for, make_block


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
    update = optimizer(config, steps_per_epoch(config, dataset))
    block = jax.jit(make_block(config, update), donate_argnums=0)
    state = jax.jit(init_state, static_argnums=(0, 1))(config, update)
    state = state._replace(params=change(state.params))
    train = jax.tree.map(jnp.asarray, dataset.train)
    order_key, examples = key_for(config.seed, Purpose.ORDER), len(dataset.train.labels)
    taken = 0
    for epoch in itertools.count(1):
        for batches in epoch_batches(order_key, jnp.int32(epoch), examples, config.batch_size):
            if taken >= max(marks, default=0):
                return
            inside = [step - taken for step in marks if taken < step < taken + len(batches)]
            for piece in jnp.split(batches, inside):
                state, _ = block(state, *train, piece)
                taken += len(piece)
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
