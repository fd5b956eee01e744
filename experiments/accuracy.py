"""Trains once from each seed, and reports the test accuracies and their summary.

    python -m experiments.accuracy --flagfile=experiments/base.flags --seeds=0,1,2,3,4

Writes OUT/accuracy.json, and the run directory of each seed beside it.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

from experiments.common import record
from manual_grads.cli import SEED, Rule, command
from mnist_jax import Config, data, progress, runs, training

SEEDS = Rule(
    "be at least one seed, each different, at least 0 and below 2**32",
    lambda seeds: len(set(seeds)) == len(seeds) >= 1 and all(map(SEED.holds, seeds)),
)


@dataclass(frozen=True)
class Options(record.Output):
    """Which run is trained, and from which seeds."""

    WITHOUT_EFFECT: ClassVar = (*record.Output.WITHOUT_EFFECT, "seed")

    seeds: Annotated[tuple[int, ...], "train once with each seed; --seed is ignored", SEEDS] = (
        *range(5),
    )
    config: Config = field(default_factory=Config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the given arguments, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Trains from each seed, and writes and prints the summary."""
    training.require_device(chosen.config.devices)
    dataset = data.load(chosen.config, command.say)
    out = record.folder(chosen.out, f"{chosen.config.name}-accuracy")
    trained = [
        run(replace(chosen.config, seed=seed, workdir=str(out / f"seed-{seed}")), dataset)
        for seed in chosen.seeds
    ]
    numbers = summary(chosen.seeds, trained)
    saved = record.save(out / "accuracy.json", "experiments.accuracy", argv, numbers)
    curve = out / f"seed-{chosen.seeds[0]}" / runs.directory.LEARNING_CURVE
    record.publish(chosen, saved, curve, prefix=f"{chosen.config.name}_")
    command.say(
        f"median {numbers['median']:.2%}, mean {numbers['mean']:.2%} ± "
        f"{numbers['standard_deviation']:.2%}, best {numbers['best']:.2%}; all files in {out}"
    )


def summary(seeds: Sequence[int], results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All test accuracies, and their median, mean, sample standard deviation and maximum."""
    accuracies = [result["test_accuracy"] for result in results]
    return {
        "dataset": results[0]["dataset"],
        "train_examples": results[0]["train_examples"],
        "test_examples": results[0]["test_examples"],
        "seeds": list(seeds),
        "test_accuracy": accuracies,
        "median": statistics.median(accuracies),
        "mean": statistics.mean(accuracies),
        "standard_deviation": statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0,
        "best": max(accuracies),
        "median_seconds": {
            part: statistics.median(result["seconds"][part] for result in results)
            for part in results[0]["seconds"]
        },
    }


def run(config: Config, dataset: data.Dataset) -> dict[str, Any]:
    """Trains as `mnist_jax.train` does, prints the test accuracy, and returns the run's result."""
    config = replace(config, dataset=dataset.name)
    with runs.claimed(config) as folder, progress.training(config.epochs) as report:
        result = training.train_and_save(config, dataset, folder, report)
    command.say(f"seed {config.seed}, {config.gradient}: {result['test_accuracy']:.2%}")
    return result


if __name__ == "__main__":
    command.leave(main())
