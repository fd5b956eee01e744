"""How long a step takes with each gradient, beside the same step with autodiff's.

    python -m experiments.speed.steps --flagfile=experiments/base.flags

Whole epochs of the very program that trains are timed, each round once with every gradient, every
other round in the opposite order; `checked` computes its bound at every step, and at an epoch's
first step also in float64. A round gives one ratio to autodiff; the median of the rounds counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from experiments.common import record, timing
from manual_grads.cli import AT_LEAST_1, command
from mnist_jax import Config, data, training


@dataclass(frozen=True)
class Options(record.Output):
    """Which run, timed how often."""

    rounds: Annotated[int, "rounds of an epoch with each gradient", AT_LEAST_1] = 9
    config: Config = field(default_factory=Config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Times epochs with each gradient in turn, and writes and prints the ratios to autodiff."""
    config = chosen.config
    training.require_device()
    dataset = data.load(config, command.say)
    out = record.folder(chosen.out, f"{config.name}-step_time")
    seconds = timing.epoch_seconds(config, dataset, chosen.rounds)
    numbers = {
        "dataset": dataset.name,
        "layer_sizes": config.architecture.layer_sizes,
        "batch_size": config.batch_size,
        **timing.summary(seconds, training.steps_per_epoch(config, dataset)),
    }
    name = f"{config.name}_step_time.json"
    record.save(out / name, "experiments.speed.steps", argv, numbers)
    record.publish(chosen, out / name)
    ratios = (f"{gradient} {seen['median']:.3f}" for gradient, seen in numbers["ratios"].items())
    command.say(f"a step beside autodiff's: {', '.join(ratios)}; all files in {out}")


if __name__ == "__main__":
    command.leave(main())
