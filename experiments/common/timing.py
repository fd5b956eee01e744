"""Seconds of a call, and the time that training takes with each gradient."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from jax.stages import Compiled
from rich.progress import track

from mnist_jax import Config
from mnist_jax.data import Dataset
from mnist_jax.training import MODES, compile_block, compile_training, start, train_epoch

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What `work` returns, and the seconds that it took."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def in_turn(names: Sequence[str], number: int) -> Sequence[str]:
    """The names in the order of round `number`: every other round has the opposite order."""
    return names[:: -1 if number % 2 else 1]


def compiler(config: Config, dataset: Dataset) -> Callable[[], Compiled]:
    """A function that compiles the first block of an epoch anew at each call."""
    begun = start(config, dataset)
    return partial(compile_block, config, begun, begun.batches(1)[0])


def epoch_seconds(
    config: Config, dataset: Dataset, rounds: int, names: Sequence[str] = tuple(MODES)
) -> dict[str, list[float]]:
    """The seconds of an epoch with each gradient, one for each round."""
    runs = {name: compile_training(replace(config, gradient=name), dataset) for name in names}
    states = {name: train_epoch(*run, 1)[0] for name, run in runs.items()}
    seconds = {name: [] for name in names}
    for number in track(range(rounds), "timing an epoch with each gradient in turn"):
        for name in in_turn(names, number):
            epoch = partial(train_epoch, runs[name][0], states[name], number + 2)
            (states[name], _), taken = timed(epoch)
            seconds[name].append(taken)
    return seconds


def summary(seconds: dict[str, list[float]], steps: int) -> dict[str, Any]:
    """Each gradient's median step, and its ratios to autodiff, round by round."""
    ratios = {
        name: [one / beside for one, beside in zip(taken, seconds["autodiff"], strict=True)]
        for name, taken in seconds.items()
        if name != "autodiff"
    }
    return {
        "epoch_seconds": seconds,
        "median_step_seconds": {
            name: statistics.median(taken) / steps for name, taken in seconds.items()
        },
        "ratios": {
            name: {
                "median": statistics.median(rounds),
                "smallest": min(rounds),
                "largest": max(rounds),
            }
            for name, rounds in ratios.items()
        },
    }
