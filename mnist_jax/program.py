"""The compiled program of a run: an epoch of training, and an evaluation."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.stages import Compiled
from jaxtyping import Float, Int

from mnist_jax.config import Config
from mnist_jax.data import Dataset, Examples
from mnist_jax.network import Params
from mnist_jax.step import (
    Batches,
    Purpose,
    TrainState,
    epoch_batches,
    evaluate,
    key_for,
    make_block,
)


class Steps(NamedTuple):
    """What each step of an epoch saw: its mean loss, its right answers, its examples."""

    losses: Float[np.ndarray, " steps"]
    correct: Int[np.ndarray, " steps"]
    examples: Int[np.ndarray, " steps"]


class Evaluation(NamedTuple):
    """The test set's mean loss, right answers, and outputs `[examples, classes]`."""

    loss: float
    correct: int
    outputs: Float[np.ndarray, "examples classes"]


class Program(NamedTuple):
    """`train_epoch(state, epoch)` gives up the state that it is given; epochs count from 1."""

    train_epoch: Callable[[TrainState, int], tuple[TrainState, Steps]]
    evaluate: Callable[[Params], Evaluation]


def steps_per_epoch(config: Config, dataset: Dataset) -> int:
    """How many steps an epoch takes, its last, partial one included."""
    return math.ceil(len(dataset.train.labels) / config.batch_size)


def compile_block(
    config: Config,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    train: Examples,
    batches: Batches,
) -> Compiled:
    """The steps over `batches`, as a function `(state, images, labels, batches)` of these shapes.

    The data are its arguments, for as constants they would be compiled into it; the state that it
    is given is given up.
    """
    block = jax.jit(make_block(config, optimizer), donate_argnums=0)
    return block.lower(state, *train, batches).compile()


def compile_program(
    config: Config, optimizer: optax.GradientTransformation, state: TrainState, dataset: Dataset
) -> Program:
    """Puts the data on the device and compiles all that a run needs, before its first step.

    A block is one epoch's whole batches, or its last, partial one; each is compiled once.
    """
    train, test = jax.tree.map(jnp.asarray, (dataset.train, dataset.test))
    cut = jax.jit(epoch_batches, static_argnums=(2, 3))
    order_key = key_for(config.seed, Purpose.ORDER)

    def batches_of(epoch):
        return cut(order_key, jnp.int32(epoch), len(dataset.train.labels), config.batch_size)

    blocks = {
        batches.shape: compile_block(config, optimizer, state, train, batches)
        for batches in batches_of(1)
    }
    evaluation = jax.jit(evaluate, static_argnums=0)
    evaluation = evaluation.lower(config.architecture, state.params, *test).compile()

    def train_epoch(state: TrainState, epoch: int) -> tuple[TrainState, Steps]:
        parts = []
        for batches in batches_of(epoch):
            state, losses, correct = blocks[batches.shape](state, *train, batches)
            steps, batch_size = batches.shape
            parts.append((np.asarray(losses), np.asarray(correct), np.full(steps, batch_size)))
        return state, Steps(*map(np.concatenate, zip(*parts, strict=True)))

    def evaluate_test(params: Params) -> Evaluation:
        loss, correct, outputs = evaluation(params, *test)
        return Evaluation(float(loss), int(correct), np.asarray(outputs))

    return Program(train_epoch, evaluate_test)
