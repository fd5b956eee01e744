"""What each gradient costs: step time, compile time, memory, and the size of what is compiled."""

import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.stages import Compiled

from experiments import step_time
from experiments.timing import timed
from mnist_jax.config import Config
from mnist_jax.data import Dataset
from mnist_jax.optimizer import optimizer
from mnist_jax.program import compile_block, steps_per_epoch
from mnist_jax.step import Purpose, epoch_batches, init_state, key_for

BOTH = ("autodiff", "manual")


def cost(config: Config, dataset: Dataset, rounds: int) -> dict[str, Any]:
    """All of them, in rounds that take each gradient once, every other round in opposite order."""
    compilers = {name: compiler(replace(config, gradient=name), dataset) for name in BOTH}
    seconds: dict[str, list[float]] = {name: [] for name in BOTH}
    compiled: dict[str, Compiled] = {}
    for number in range(rounds):
        for name in BOTH[:: -1 if number % 2 else 1]:
            compiled[name], taken = timed(compilers[name])
            seconds[name].append(taken)
    steps = step_time.epoch_seconds(config, dataset, rounds, BOTH)
    return {
        **step_time.summary(steps, steps_per_epoch(config, dataset)),
        "compile_seconds": seconds,
        "compile_median": {name: statistics.median(taken) for name, taken in seconds.items()},
        "compile_ratio": statistics.median(
            manual / autodiff
            for autodiff, manual in zip(seconds["autodiff"], seconds["manual"], strict=True)
        ),
        "peak_bytes": {name: peak_bytes(program) for name, program in compiled.items()},
        "instructions": {name: instructions(program) for name, program in compiled.items()},
    }


def compiler(config: Config, dataset: Dataset) -> Callable[[], Compiled]:
    """A function that compiles an epoch's block anew at each call."""
    update = optimizer(config, steps_per_epoch(config, dataset))
    state = jax.jit(init_state, static_argnums=(0, 1))(config, update)
    train = jax.tree.map(jnp.asarray, dataset.train)
    key = key_for(config.seed, Purpose.ORDER)
    batches = epoch_batches(key, jnp.int32(1), len(dataset.train.labels), config.batch_size)[0]
    return partial(compile_block, config, update, state, train, batches)


def peak_bytes(program: Compiled) -> int:
    """What the program holds at once, by its compiler's account: data, state, and between them."""
    of = program.memory_analysis()
    assert of is not None
    shared = of.alias_size_in_bytes
    return of.argument_size_in_bytes + of.output_size_in_bytes - shared + of.temp_size_in_bytes


def instructions(program: Compiled) -> int:
    """How many instructions the optimised program has, those of its fusions included."""
    text = program.as_text()
    assert text is not None
    return sum(" = " in line for line in text.splitlines())
