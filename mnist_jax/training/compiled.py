"""Compiles a run's blocks of training steps and its evaluation, before the first step."""

import functools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.stages import Compiled, Lowered
from jaxtyping import Array, Float, Int, Int32, UInt32

from manual_grads.cli import OptionError
from mnist_jax.clock import Clock, start_clock, timed
from mnist_jax.config import Config
from mnist_jax.data import Dataset, Examples
from mnist_jax.model import Params
from mnist_jax.training.devices import divided, mesh_of, place, replicated
from mnist_jax.training.failures import enough_memory
from mnist_jax.training.gradients import Inspected, Mode, mode
from mnist_jax.training.optimizer import learning_rates, optimizer
from mnist_jax.training.state import Purpose, TrainState, init_state, key_for
from mnist_jax.training.step import (
    PADDING,
    Steps,
    epoch_batches,
    evaluate,
    inspect_step,
    make_block,
)

Batches = Int32[np.ndarray, "steps batch"]
Tree = Any


class Start(NamedTuple):
    """The objects that training starts with. Each device of `mesh` has all of `state` and `train`.

    `rates` has the learning rate at the last step of each epoch. `batches(epoch)` returns the
    batches of each block of an epoch, as indices of examples; epochs count from 1.
    """

    mesh: Mesh
    optimizer: optax.GradientTransformation
    state: TrainState
    rates: Float[np.ndarray, " epochs"]
    train: Examples
    batches: Callable[[int], list[Batches]]


class BlockResult(NamedTuple):
    """The results of a block's steps, and the number of examples in each step.

    `float64` is the result of `Mode.inspect_in_float64` in the first block of an epoch, else None.
    """

    steps: Steps
    examples: Int[np.ndarray, " steps"]
    float64: Inspected


class Evaluation(NamedTuple):
    """The mean loss on a set of examples, the number of correct answers, and the outputs."""

    loss: float
    correct: int
    outputs: Float[np.ndarray, "examples classes"]


class Training(NamedTuple):
    """The compiled functions of a run, and the constants that its loop needs.

    `train_block(state, epoch, block)` counts epochs from 1 and blocks from 0, and donates `state`.
    `blocks` is the number of blocks in an epoch, and `rates` has the learning rate at the last step
    of each epoch. `validate` is None if there are no validation examples.
    """

    mode: Mode
    rates: Float[np.ndarray, " epochs"]
    blocks: int
    train_block: Callable[[TrainState, int, int], tuple[TrainState, BlockResult]]
    evaluate: Callable[[Params], Evaluation]
    validate: Callable[[Params], Evaluation] | None


def steps_per_epoch(config: Config, dataset: Dataset) -> int:
    """The number of steps in an epoch, including a last step with fewer examples."""
    return math.ceil(len(dataset.train.labels) / config.batch_size)


def blocks_per_epoch(config: Config, dataset: Dataset) -> int:
    """The number of blocks in an epoch, each of `--block_steps` steps; the last may have fewer."""
    return math.ceil(steps_per_epoch(config, dataset) / config.block_steps)


def start(config: Config, dataset: Dataset) -> Start:
    """Makes the optimiser and the initial state, and copies the training data to the devices.

    The seed is an argument of the compiled functions, so that another seed needs no compilation.
    Initial state and batches are computed on one device, so they do not depend on the mesh.
    """
    mesh, steps, seed = mesh_of(config), steps_per_epoch(config, dataset), np.uint32(config.seed)

    @jax.jit
    def cut(seed, epoch):
        order_key = key_for(seed, Purpose.ORDER)
        examples = len(dataset.train.labels)
        batches = epoch_batches(order_key, epoch, examples, config.batch_size)
        padding = (0, -batches.shape[1] % mesh.size)
        batches = jnp.pad(batches, ((0, 0), padding), constant_values=PADDING)
        return [batches[at : at + config.block_steps] for at in range(0, steps, config.block_steps)]

    @functools.lru_cache(maxsize=1)
    def batches(epoch: int) -> list[Batches]:
        return list(map(np.asarray, cut(seed, np.int32(epoch))))

    state, rates = _begin(config, steps, seed)
    state, train = place((state, dataset.train), replicated(mesh))
    return Start(mesh, optimizer(config, steps), state, np.asarray(rates), train, batches)


@partial(jax.jit, static_argnums=(0, 1))
def _begin(
    config: Config, steps: int, seed: UInt32[Array, ""]
) -> tuple[TrainState, Float[Array, " epochs"]]:
    """The initial state, and the learning rate at the last step of each epoch of `steps` steps."""
    ends = steps * jnp.arange(1, config.epochs + 1, dtype="int32") - 1
    state = init_state(config, optimizer(config, steps), seed)
    return state, learning_rates(config, steps, ends)


def compile_training(
    config: Config, dataset: Dataset, clock: Clock | None = None
) -> tuple[Training, TrainState]:
    """Compiles the functions of a run, and returns them with the initial state.

    Blocks with the same shape of batches share one compiled function. The time of compiling and of
    each call is added to the clock. Raises `MemoryExceededError`; so do the compiled functions.
    """
    clock = clock or start_clock()
    with timed(clock, "compile"), enough_memory():
        return _compile_training(config, dataset, clock)


def _compile_training(
    config: Config, dataset: Dataset, clock: Clock
) -> tuple[Training, TrainState]:
    """Compiles in threads: while XLA compiles one function, JAX traces the next."""
    steps, mesh = steps_per_epoch(config, dataset), mesh_of(config)
    if config.epochs * steps >= 2**31:
        raise OptionError(
            f"a run must have fewer than {2**31:,} steps",
            f"--epochs={config.epochs}, each with {steps:,} steps",
            "fewer --epochs, or a larger --batch_size",
        )
    state, _ = _begin.eval_shape(config, steps, np.uint32(config.seed))
    _require_memory(state, mesh)
    parts = {"test": dataset.test, "validation": dataset.validation}
    examples = {name: place(part, replicated(mesh)) for name, part in parts.items() if part}
    with ThreadPoolExecutor(thread_name_prefix="compile") as threads:
        compiling = {
            shape: threads.submit(_lowered_block(config, dataset, mesh, state, shape).compile)
            for shape in _batch_shapes(config, dataset, mesh)
        }
        evaluations = {
            name: threads.submit(_lowered_evaluation(config, mesh, state.params, each).compile)
            for name, each in examples.items()
        }
        initial = start(config, dataset)
        initial.batches(1)
        inspect_first = _compile_inspection(config, initial)
        blocks = {shape: block.result() for shape, block in compiling.items()}
        evaluate_on = {
            name: _evaluation(clock, each.result(), examples[name])
            for name, each in evaluations.items()
        }

    def train_block(state: TrainState, epoch: int, block: int) -> tuple[TrainState, BlockResult]:
        with timed(clock, "train"), enough_memory():
            batches = initial.batches(epoch)[block]
            float64, parts = None, place(batches, divided(initial.mesh))
            if inspect_first is not None and block == 0:
                float64 = inspect_first(state.params, *initial.train, parts)
            state, steps = blocks[batches.shape](state, *initial.train, parts)
            examples = np.sum(batches != PADDING, axis=1)
            return state, BlockResult(jax.tree.map(np.asarray, steps), examples, float64)

    numbers = initial.rates, blocks_per_epoch(config, dataset)
    functions = train_block, evaluate_on["test"], evaluate_on.get("validation")
    return Training(mode(config), *numbers, *functions), initial.state


def _batch_shapes(config: Config, dataset: Dataset, mesh: Mesh) -> set[tuple[int, int]]:
    """The shapes of an epoch's `Batches`, without repetition; the last block can be shorter."""
    steps, batch_size = steps_per_epoch(config, dataset), config.batch_size
    examples = min(batch_size, len(dataset.train.labels))
    lengths = {min(config.block_steps, steps), (steps - 1) % config.block_steps + 1}
    return {(length, examples + -examples % mesh.size) for length in lengths}


def _shapes(tree: Tree, sharding: NamedSharding) -> Tree:
    """The shape and dtype of each array, with a sharding: what JAX needs to trace a function."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree
    )


def _lowered_block(
    config: Config, dataset: Dataset, mesh: Mesh, state: Tree, batches: tuple[int, int]
) -> Lowered:
    """Traces a block, a function of `(state, images, labels, batches)`, for the given shapes.

    The block donates `state`. Images and labels are arguments, because constants compile slowly.
    """
    everywhere = replicated(mesh)
    step = make_block(config, optimizer(config, steps_per_epoch(config, dataset)), mesh=mesh)
    block = jax.jit(step, donate_argnums=0, out_shardings=everywhere)
    order = jax.ShapeDtypeStruct(batches, "int32", sharding=divided(mesh))
    return block.lower(*_shapes((state, *dataset.train), everywhere), order)


def _require_memory(state: Tree, mesh: Mesh) -> None:
    """Raises `MemoryError` if the memory cannot hold a state and a gradient for each CPU device.

    Allocating too much memory often succeeds, but the process is killed when it uses the memory.
    """
    if jax.default_backend() != "cpu":
        return
    needed = len(mesh.local_devices) * sum(
        math.prod(leaf.shape) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves((state, state.params))
    )
    available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > available:
        raise MemoryError(f"{needed:,} bytes are needed, and the machine has {available:,}")


def train_epoch(
    training: Training, state: TrainState, epoch: int
) -> tuple[TrainState, list[BlockResult]]:
    """Trains an epoch, and returns the new state and a result for each block. Donates `state`."""
    results = []
    for block in range(training.blocks):
        state, result = training.train_block(state, epoch, block)
        results.append(result)
    return state, results


def _lowered_evaluation(config: Config, mesh: Mesh, params: Tree, examples: Examples) -> Lowered:
    """Traces the evaluation, a function of `(params, images, labels)`, for their shapes."""
    everywhere = replicated(mesh)
    evaluation = jax.jit(evaluate, static_argnums=(0, 4), out_shardings=everywhere)
    return evaluation.lower(config.architecture, *_shapes((params, *examples), everywhere), mesh)


def _evaluation(
    clock: Clock, compiled: Compiled, examples: Examples
) -> Callable[[Params], Evaluation]:
    def run(params: Params) -> Evaluation:
        with timed(clock, "evaluate"), enough_memory():
            loss, correct, outputs = compiled(params, *examples)
            return Evaluation(float(loss), int(correct), np.asarray(outputs))

    return run


def _compile_inspection(config: Config, initial: Start) -> Callable[..., Inspected] | None:
    """Compiles a function of `(params, images, labels, batches)` that inspects the first batch.

    That function computes in float64. Returns None if the mode has no `inspect_in_float64`.
    """
    if mode(config).inspect_in_float64 is None:
        return None
    batches = place(initial.batches(1)[0], divided(initial.mesh))

    def inspect_first(params, images, labels, batches):
        return inspect_step(config, params, images, labels, batches[0])

    with jax.enable_x64(True):
        inspect = jax.jit(inspect_first, out_shardings=replicated(initial.mesh))
        inspect = inspect.lower(initial.state.params, *initial.train, batches).compile()

    def run(*arguments) -> Inspected:
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, inspect(*arguments))

    return run
