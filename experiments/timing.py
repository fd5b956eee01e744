"""What every measurement of time needs: a run ready to train, and a clock."""

import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax

from mnist_jax import data
from mnist_jax.config import Config
from mnist_jax.optimizer import optimizer
from mnist_jax.program import Program, compile_program, steps_per_epoch
from mnist_jax.step import TrainState, init_state

Result = TypeVar("Result")


class Ready(NamedTuple):
    """A run before its first epoch: its compiled program, and its state, on the device."""

    program: Program
    state: TrainState


def ready(config: Config, dataset: data.Dataset) -> Ready:
    """Compiles what the trainer compiles, and draws the initial state that it draws."""
    update = optimizer(config, steps_per_epoch(config, dataset))
    state = jax.jit(init_state, static_argnums=(0, 1))(config, update)
    return Ready(compile_program(config, update, state, dataset), state)


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What `work` returns, and the seconds that it took."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started
