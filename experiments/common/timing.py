"""Seconds of a call, and seconds of training with each gradient."""

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
    """The names in the order of round `number`: reversed in every other round."""
    return names[:: -1 if number % 2 else 1]


def compiler(config: Config, dataset: Dataset) -> Callable[[], Compiled]:
    """A function that, at each call, compiles the first block of an epoch again."""
    begun = start(config, dataset)
    return partial(compile_block, config, begun, begun.batches(1)[0])


def epoch_seconds(
    config: Config, dataset: Dataset, rounds: int, names: Sequence[str] = tuple(MODES)
) -> dict[str, list[float]]:
    """The seconds of an epoch with each gradient in each round."""
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
    """The median step time of each gradient, and its ratios to autodiff, one for each round."""
    medians = {name: statistics.median(taken) / steps for name, taken in seconds.items()}
    ratios = {}
    for name in [name for name in seconds if name != "autodiff"]:
        rounds = [one / two for one, two in zip(seconds[name], seconds["autodiff"], strict=True)]
        spread = {"smallest": min(rounds), "largest": max(rounds)}
        ratios[name] = {"median": statistics.median(rounds), **spread}
    return {"epoch_seconds": seconds, "median_step_seconds": medians, "ratios": ratios}
