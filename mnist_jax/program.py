"""The compiled program of a run: an epoch of training, and an evaluation."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.stages import Compiled
from jaxtyping import Array, Float, Int, Int32, Key

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


class Trained(NamedTuple):
    """What the steps of a block saw, and how many examples each took; arrays `[steps]`.

    Under `--gradient=checked`, `float64` is how far the two gradients disagree at an epoch's first
    step if all is computed in float64, in the epoch's first block.
    """

    steps: Steps
    examples: Int[np.ndarray, " steps"]
    float64: Disagreement | None


class Evaluation(NamedTuple):
    """The mean loss on a set, its right answers, and the outputs `[examples, classes]`."""

    loss: float
    correct: int
    outputs: Float[np.ndarray, "examples classes"]


class Program(NamedTuple):
    """`train_block(state, epoch, block)` gives up the state that it is given.

    Epochs count from 1, the `blocks` of each from 0. `validate` is there if examples are held out.
    """

    blocks: int
    train_block: Callable[[TrainState, int, int], tuple[TrainState, Trained]]
    evaluate: Callable[[Params], Evaluation]
    validate: Callable[[Params], Evaluation] | None


def train_epoch(program: Program, state: TrainState, epoch: int) -> tuple[TrainState, Trained]:
    """All blocks of an epoch. Gives up the state that it is given."""
    seen = []
    for block in range(program.blocks):
        state, trained = program.train_block(state, epoch, block)
        seen.append(trained)
    steps = jax.tree.map(lambda *part: np.concatenate(part), *(part.steps for part in seen))
    examples = np.concatenate([part.examples for part in seen])
    return state, Trained(steps, examples, seen[0].float64)


def steps_per_epoch(config: Config, dataset: Dataset) -> int:
    """How many steps an epoch takes, its last, partial one included."""
    return math.ceil(len(dataset.train.labels) / config.batch_size)


def blocks_per_epoch(config: Config, dataset: Dataset) -> int:
    """How many blocks an epoch has."""
    whole, rest = divmod(len(dataset.train.labels), config.batch_size)
    return math.ceil(whole / config.block_steps) + (rest > 0)


def epoch_blocks(
    key: Key[Array, ""], epoch: Int32[Array, ""], examples: int, batch_size: int, block_steps: int
) -> list[Batches]:
    """The batches of an epoch, in blocks of at most `block_steps`."""
    return [
        batches[at : at + block_steps]
        for batches in epoch_batches(key, epoch, examples, batch_size)
        for at in range(0, len(batches), block_steps)
    ]


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

    Blocks of one length and batch size are one program.
    """
    train = jax.tree.map(jnp.asarray, dataset.train)
    cut = jax.jit(epoch_blocks, static_argnums=(2, 3, 4))
    order_key = key_for(config.seed, Purpose.ORDER)

    @functools.lru_cache(maxsize=1)
    def batches_of(epoch):
        examples = len(dataset.train.labels)
        return cut(order_key, jnp.int32(epoch), examples, config.batch_size, config.block_steps)

    forms = {batches.shape: batches for batches in batches_of(1)}
    blocks = {
        shape: compile_block(config, optimizer, state, train, batches)
        for shape, batches in forms.items()
    }
    check_first_step = (
        _compile_check(config, state, train, batches_of(1)[0][0])
        if config.gradient == "checked"
        else lambda *_: None
    )

    def train_block(state: TrainState, epoch: int, block: int) -> tuple[TrainState, Trained]:
        batches = batches_of(epoch)[block]
        float64 = check_first_step(state.params, *train, batches[0]) if block == 0 else None
        state, steps = blocks[batches.shape](state, *train, batches)
        examples = np.full(len(batches), batches.shape[1])
        return state, Trained(jax.tree.map(np.asarray, steps), examples, float64)

    return Program(
        blocks_per_epoch(config, dataset),
        train_block,
        _compile_evaluation(config, state.params, dataset.test),
        _compile_evaluation(config, state.params, dataset.validation)
        if dataset.validation
        else None,
    )


def _compile_evaluation(
    config: Config, params: Params, examples: Examples
) -> Callable[[Params], Evaluation]:
    """The evaluation on these examples, as a function of the parameters."""
    arrays = jax.tree.map(jnp.asarray, examples)
    evaluation = jax.jit(evaluate, static_argnums=0)
    evaluation = evaluation.lower(config.architecture, params, *arrays).compile()

    def run(params: Params) -> Evaluation:
        loss, correct, outputs = evaluation(params, *arrays)
        return Evaluation(float(loss), int(correct), np.asarray(outputs))

    return run


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
