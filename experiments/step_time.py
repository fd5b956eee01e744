"""How long a step takes with each gradient, beside the same step with autodiff's.

    python -m experiments.step_time --flagfile=experiments/base.flags

Whole epochs of the very program that trains are timed, each round once with every gradient, every
other round in the opposite order; `checked` computes its bound at every step, and at an epoch's
first step also in float64. A round gives one ratio to autodiff; the median of the rounds counts.
"""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any

from rich.progress import track

from experiments import results
from experiments.timing import ready, timed
from manual_grads.cli import A_PATH, ANY, AT_LEAST_1, command, options
from mnist_jax import data, training
from mnist_jax.config import Config
from mnist_jax.gradients import GRADIENTS
from mnist_jax.program import steps_per_epoch, train_epoch


@dataclass(frozen=True)
class Options:
    """Which run, timed how often."""

    rounds: Annotated[int, "rounds of an epoch with each gradient", AT_LEAST_1] = 9
    out: Annotated[
        str | None, "where to write; the next free runs/NAME-step_time if not given", A_PATH
    ] = None
    publish: Annotated[bool, "replace the committed results of NAME too", ANY] = False
    config: Config = field(default_factory=Config)

    def __post_init__(self):
        options.check(self)
        results.require_own_folder(self.config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    return command.run(partial(measure, argv), Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Times epochs with each gradient in turn, and writes and prints the ratios to autodiff."""
    config = chosen.config
    training.require_device()
    dataset = data.load(config, command.say)
    out = results.folder(chosen.out, f"{config.name}-step_time")
    numbers = {
        "dataset": dataset.name,
        "layer_sizes": config.architecture.layer_sizes,
        "batch_size": config.batch_size,
        **summary(epoch_seconds(config, dataset, chosen.rounds), steps_per_epoch(config, dataset)),
    }
    name = f"{config.name}_step_time.json"
    results.save(out / name, "experiments.step_time", argv, numbers)
    if chosen.publish:
        results.publish(out / name, name)
    ratios = (f"{gradient} {seen['median']:.3f}" for gradient, seen in numbers["ratios"].items())
    command.say(f"a step beside autodiff's: {', '.join(ratios)}; all files in {out}")


def epoch_seconds(
    config: Config, dataset: data.Dataset, rounds: int, names: Sequence[str] = tuple(GRADIENTS)
) -> dict[str, list[float]]:
    """The seconds of an epoch with each gradient, one for each round."""
    runs = {name: ready(replace(config, gradient=name), dataset) for name in names}
    states = {name: train_epoch(run.program, run.state, 1)[0] for name, run in runs.items()}
    seconds = {name: [] for name in names}
    for number in track(range(rounds), "timing an epoch with each gradient in turn"):
        for name in names[:: -1 if number % 2 else 1]:
            epoch = partial(train_epoch, runs[name].program, states[name], number + 2)
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


if __name__ == "__main__":
    command.leave(main())
