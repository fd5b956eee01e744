"""The compiled program of a run: an epoch of training, and an evaluation."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.stages import Compiled
from jaxtyping import Array, Float, Int, Int32

from mnist_jax.config import Config
from mnist_jax.data import Dataset, Examples
from mnist_jax.gradients import Disagreement
from mnist_jax.network import Params
from mnist_jax.step import (
    Batches,
    Purpose,
    Steps,
    TrainState,
    epoch_batches,
    evaluate,
    first_step_in_float64,
    key_for,
    make_block,
)


class Epoch(NamedTuple):
    """What an epoch's steps saw, and how many examples each took; arrays `[steps]`.

    Under `--gradient=checked`, `float64` is how far the two gradients disagree at the epoch's first
    step if all is computed in float64.
    """

    steps: Steps
    examples: Int[np.ndarray, " steps"]
    float64: Disagreement | None


class Evaluation(NamedTuple):
    """The test set's mean loss, right answers, and outputs `[examples, classes]`."""

    loss: float
    correct: int
    outputs: Float[np.ndarray, "examples classes"]


class Program(NamedTuple):
    """`train_epoch(state, epoch)` gives up the state that it is given; epochs count from 1."""

    train_epoch: Callable[[TrainState, int], tuple[TrainState, Epoch]]
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
    check_first_step = (
        _compile_check(config, state, train, batches_of(1)[0][0])
        if config.gradient == "checked"
        else lambda *_: None
    )
    evaluation = jax.jit(evaluate, static_argnums=0)
    evaluation = evaluation.lower(config.architecture, state.params, *test).compile()

    def train_epoch(state: TrainState, epoch: int) -> tuple[TrainState, Epoch]:
        parts = batches_of(epoch)
        float64 = check_first_step(state.params, *train, parts[0][0])
        seen = []
        for batches in parts:
            state, steps = blocks[batches.shape](state, *train, batches)
            seen.append(jax.tree.map(np.asarray, steps))
        steps = jax.tree.map(lambda *part: np.concatenate(part), *seen)
        sizes = [np.full(len(batches), batches.shape[1]) for batches in parts]
        return state, Epoch(steps, np.concatenate(sizes), float64)

    def evaluate_test(params: Params) -> Evaluation:
        loss, correct, outputs = evaluation(params, *test)
        return Evaluation(float(loss), int(correct), np.asarray(outputs))

    return Program(train_epoch, evaluate_test)


def _compile_check(
    config: Config, state: TrainState, train: Examples, batch: Int32[Array, " batch"]
) -> Callable[..., Disagreement]:
    """The float64 check of a step, as a function `(params, images, labels, batch)`."""
    with jax.enable_x64(True):
        check = jax.jit(first_step_in_float64, static_argnums=0)
        check = check.lower(config.architecture, state.params, *train, batch).compile()

    def run(*arguments) -> Disagreement:
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, check(*arguments))

    return run
