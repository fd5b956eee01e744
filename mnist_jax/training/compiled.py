"""The functions of a run, compiled before its first step: blocks of training, and evaluation."""

import functools
import math
import os
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.stages import Compiled
from jaxtyping import Array, Float, Int, Int32

from manual_grads.cli import OptionError
from mnist_jax.clock import Clock, start_clock, timed
from mnist_jax.config import Config
from mnist_jax.data import Dataset, Examples
from mnist_jax.model import Params
from mnist_jax.training.failures import enough_memory
from mnist_jax.training.gradients import Inspected, Mode, mode
from mnist_jax.training.optimizer import learning_rates, optimizer
from mnist_jax.training.state import Purpose, TrainState, init_state, key_for
from mnist_jax.training.step import Batches, Steps, epoch_blocks, evaluate, inspect_step, make_block


class Start(NamedTuple):
    """What a run begins with, on the device.

    `batches(epoch)` are those of an epoch, counted from 1, in blocks of at most `block_steps`.
    """

    optimizer: optax.GradientTransformation
    state: TrainState
    train: Examples
    batches: Callable[[int], list[Batches]]


class BlockResult(NamedTuple):
    """What the steps of a block saw, and how many examples each took; arrays `[steps]`.

    `float64` is what the gradient's mode inspected in float64, in an epoch's first block.
    """

    steps: Steps
    examples: Int[np.ndarray, " steps"]
    float64: Inspected


class Evaluation(NamedTuple):
    """The mean loss on a set, its right answers, and the outputs `[examples, classes]`."""

    loss: float
    correct: int
    outputs: Float[np.ndarray, "examples classes"]


class Training(NamedTuple):
    """The compiled functions of a run, and what else its loop needs to know of them.

    `train_block(state, epoch, block)` gives up the state that it is given; epochs count from 1, the
    `blocks` of each from 0. `validate` is there if examples are held out. `rates` has the learning
    rate of each epoch's last step.
    """

    mode: Mode
    rates: Float[np.ndarray, " epochs"]
    blocks: int
    train_block: Callable[[TrainState, int, int], tuple[TrainState, BlockResult]]
    evaluate: Callable[[Params], Evaluation]
    validate: Callable[[Params], Evaluation] | None


def steps_per_epoch(config: Config, dataset: Dataset) -> int:
    """How many steps an epoch takes, its last, partial one included."""
    return math.ceil(len(dataset.train.labels) / config.batch_size)


def blocks_per_epoch(config: Config, dataset: Dataset) -> int:
    """How many blocks an epoch has."""
    whole, rest = divmod(len(dataset.train.labels), config.batch_size)
    return math.ceil(whole / config.block_steps) + (rest > 0)


def start(config: Config, dataset: Dataset) -> Start:
    """The optimiser, the initial state and the data that a config says; nothing is trained."""
    update = optimizer(config, steps_per_epoch(config, dataset))
    order_key, examples = key_for(config.seed, Purpose.ORDER), len(dataset.train.labels)
    cut = jax.jit(epoch_blocks, static_argnums=(2, 3, 4))

    @functools.lru_cache(maxsize=1)
    def batches(epoch: int) -> list[Batches]:
        return cut(order_key, jnp.int32(epoch), examples, config.batch_size, config.block_steps)

    state = jax.jit(init_state, static_argnums=(0, 1))(config, update)
    return Start(update, state, jax.tree.map(jnp.asarray, dataset.train), batches)


def compile_block(config: Config, begun: Start, batches: Batches) -> Compiled:
    """The steps over `batches`, as a function `(state, images, labels, batches)` of these shapes.

    The data are its arguments, for as constants they would be compiled into it; the state that it
    is given is given up.
    """
    block = jax.jit(make_block(config, begun.optimizer), donate_argnums=0)
    return block.lower(begun.state, *begun.train, batches).compile()


def compile_training(
    config: Config, dataset: Dataset, clock: Clock | None = None
) -> tuple[Training, TrainState]:
    """Compiles all that a run needs; returns it with the initial state.

    Blocks of one length and batch size are one compiled function. The seconds of compiling and of
    each call are added to the clock. Raises `MemoryExceededError`, as each function does.
    """
    clock = clock or start_clock()
    with timed(clock, "compile"), enough_memory():
        return _compile_training(config, dataset, clock)


def _compile_training(
    config: Config, dataset: Dataset, clock: Clock
) -> tuple[Training, TrainState]:
    if config.epochs * steps_per_epoch(config, dataset) >= 2**31:
        raise OptionError(
            f"a run must have fewer than {2**31:,} steps",
            f"--epochs={config.epochs} of {steps_per_epoch(config, dataset):,} steps",
            "fewer --epochs, or a larger --batch_size",
        )
    _require_memory(config)
    begun = start(config, dataset)
    shapes = {batches.shape: batches for batches in begun.batches(1)}
    blocks = {shape: compile_block(config, begun, batches) for shape, batches in shapes.items()}
    inspect_first = _compile_inspection(config, begun)

    def train_block(state: TrainState, epoch: int, block: int) -> tuple[TrainState, BlockResult]:
        with timed(clock, "train"), enough_memory():
            batches = begun.batches(epoch)[block]
            float64 = inspect_first(state.params, *begun.train, batches[0]) if block == 0 else None
            state, steps = blocks[batches.shape](state, *begun.train, batches)
            examples = np.full(len(batches), batches.shape[1])
            return state, BlockResult(jax.tree.map(np.asarray, steps), examples, float64)

    on = functools.partial(_compile_evaluation, config, clock, begun.state.params)
    steps = steps_per_epoch(config, dataset)
    last_steps = steps * np.arange(1, config.epochs + 1) - 1
    training = Training(
        mode(config),
        learning_rates(config, steps, last_steps),
        blocks_per_epoch(config, dataset),
        train_block,
        on(dataset.test),
        on(dataset.validation) if dataset.validation else None,
    )
    return training, begun.state


def _require_memory(config: Config) -> None:
    """Raises `MemoryError` if the host has too little for the state and a gradient.

    A host grants more memory than it has, and ends the process that uses it.
    """
    if jax.default_backend() != "cpu":
        return
    state = jax.eval_shape(functools.partial(init_state, config, optimizer(config, 1)))
    needed = sum(
        math.prod(leaf.shape) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves((state, state.params))
    )
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise MemoryError(f"{needed:,} bytes are needed, and the machine has {there:,}")


def train_epoch(
    training: Training, state: TrainState, epoch: int
) -> tuple[TrainState, list[BlockResult]]:
    """All blocks of an epoch. Gives up the state that it is given."""
    results = []
    for block in range(training.blocks):
        state, result = training.train_block(state, epoch, block)
        results.append(result)
    return state, results


def _compile_evaluation(
    config: Config, clock: Clock, params: Params, examples: Examples
) -> Callable[[Params], Evaluation]:
    """The evaluation on these examples, as a function of the parameters."""
    arrays = jax.tree.map(jnp.asarray, examples)
    evaluation = jax.jit(evaluate, static_argnums=0)
    evaluation = evaluation.lower(config.architecture, params, *arrays).compile()

    def run(params: Params) -> Evaluation:
        with timed(clock, "evaluate"), enough_memory():
            loss, correct, outputs = evaluation(params, *arrays)
            return Evaluation(float(loss), int(correct), np.asarray(outputs))

    return run


def _compile_inspection(config: Config, begun: Start) -> Callable[..., Inspected]:
    """What the mode inspects in float64, as a function `(params, images, labels, batch)`."""
    if mode(config).inspect_in_float64 is None:
        return lambda *_: None
    batch: Int32[Array, " batch"] = begun.batches(1)[0][0]
    with jax.enable_x64(True):
        inspect = jax.jit(inspect_step, static_argnums=0)
        inspect = inspect.lower(config, begun.state.params, *begun.train, batch).compile()

    def run(*arguments) -> Inspected:
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, inspect(*arguments))

    return run
