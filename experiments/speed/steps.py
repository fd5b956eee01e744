"""Seconds of a training step with each gradient, and their ratios to autodiff's.

Whole epochs of the compiled training functions are timed. A round times each gradient once, and
gives one ratio for each; every other round reverses the order. The median ratio is reported. With
`checked`, each step computes the rounding bound; the first of an epoch, also float64 gradients.
"""

from pathlib import Path
from typing import Any

from experiments.common import timing
from manual_grads.cli import command
from mnist_jax import Config, data, training

FILE = "{name}_step_time.json"
ROUNDS = 9
SUMMARY = (
    "a step takes, compared with autodiff's: manual {ratios[manual][median]:.3f}, "
    "checked {ratios[checked][median]:.3f}"
)


def measure(config: Config, rounds: int, _out: Path) -> dict[str, Any]:
    """The seconds of an epoch with each gradient in each round, and their summary."""
    dataset = data.load(config, command.say)
    seconds = timing.epoch_seconds(config, dataset, rounds)
    return {
        "dataset": dataset.name,
        "layer_sizes": config.architecture.layer_sizes,
        "batch_size": config.batch_size,
        **timing.summary(seconds, training.steps_per_epoch(config, dataset)),
    }
