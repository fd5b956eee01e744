"""Times a training step with each value of --gradient, and divides by the time with autodiff.

Whole epochs of the compiled training functions are timed. Each round times every value once, and
gives a ratio for each value. Every second round reverses the order. The median ratio is reported.
With `checked`, each step also computes the rounding bound, and the first step of an epoch also
computes the gradients in float64.
"""

import statistics
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from experiments.common import timing
from manual_grads.cli import command
from mnist_jax import Config, data
from mnist_jax.training import MODES, compile_training, steps_per_epoch, train_epoch

FILE = "{name}_step_time.json"
ROUNDS = 9
SUMMARY = (
    "time of a step ÷ time with autodiff: manual {ratios[manual][median]:.3f}, "
    "checked {ratios[checked][median]:.3f}"
)


def measure(config: Config, rounds: int, _out: Path) -> dict[str, Any]:
    """The seconds of an epoch with each gradient in each round, and their summary."""
    dataset = data.load(config, command.say)
    runs = {name: compile_training(replace(config, gradient=name), dataset) for name in MODES}
    states = {name: train_epoch(*run, 1)[0] for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in MODES}
    for number, name in timing.in_turn(
        [*MODES], rounds, "timing an epoch with each gradient in turn"
    ):
        epoch = partial(train_epoch, runs[name][0], states[name], number + 2)
        (states[name], _), taken = timing.timed(epoch)
        seconds[name].append(taken)
    return {
        "dataset": dataset.name,
        "layer_sizes": config.architecture.layer_sizes,
        "batch_size": config.batch_size,
        **summary(seconds, steps_per_epoch(config, dataset)),
    }


def summary(seconds: dict[str, list[float]], steps: int) -> dict[str, Any]:
    """The median step time of each gradient, and the median and range of its ratios to autodiff."""
    medians = {name: statistics.median(taken) / steps for name, taken in seconds.items()}
    ratios = {}
    for name in [name for name in seconds if name != "autodiff"]:
        rounds = [one / two for one, two in zip(seconds[name], seconds["autodiff"], strict=True)]
        spread = {"smallest": min(rounds), "largest": max(rounds)}
        ratios[name] = {"median": statistics.median(rounds), **spread}
    return {"epoch_seconds": seconds, "median_step_seconds": medians, "ratios": ratios}
