"""Trains once with each seed, and reports every test accuracy and their summary.

    python -m experiments.accuracy --flagfile=experiments/base.flags --seeds=0,1,2,3,4

Writes OUT/accuracy.json, and each seed's run directory beside it.
"""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from experiments import results
from manual_grads.cli import A_PATH, ANY, SEED, Rule, command, options
from mnist_jax import claiming, data, progress, run_directory, training
from mnist_jax.config import Config

SEEDS = Rule(
    "be at least one seed, each once, at least 0 and below 2³²",
    lambda seeds: len(set(seeds)) == len(seeds) >= 1 and all(map(SEED.holds, seeds)),
)


@dataclass(frozen=True)
class Options:
    """Which run, with which seeds."""

    seeds: Annotated[tuple[int, ...], "train once with each; --seed is not looked at", SEEDS] = (
        *range(5),
    )
    out: Annotated[
        str | None, "where to write; the next free runs/NAME-accuracy if not given", A_PATH
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
    """Trains with each seed, and writes what came of it."""
    name = chosen.config.name
    training.require_device()
    dataset = data.load(chosen.config, command.say)
    out = results.folder(chosen.out, f"{name}-accuracy")
    runs = [run(chosen.config, dataset, seed, out / f"seed-{seed}") for seed in chosen.seeds]
    numbers = summary(chosen.seeds, runs)
    results.save(out / "accuracy.json", "experiments.accuracy", argv, numbers)
    if chosen.publish:
        curve = out / f"seed-{chosen.seeds[0]}" / run_directory.LEARNING_CURVE
        results.publish(out / "accuracy.json", f"{name}_accuracy.json")
        results.publish(curve, f"{name}_learning_curve.png")
    command.say(
        f"median {numbers['median']:.2%}, mean {numbers['mean']:.2%} ± "
        f"{numbers['standard_deviation']:.2%}, best {numbers['best']:.2%}; all files in {out}"
    )


def summary(seeds: Sequence[int], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of the runs' test accuracies: all, median, mean, standard deviation (of a sample), best."""
    accuracies = [run["test_accuracy"] for run in runs]
    return {
        "dataset": runs[0]["dataset"],
        "train_examples": runs[0]["train_examples"],
        "test_examples": runs[0]["test_examples"],
        "seeds": list(seeds),
        "test_accuracy": accuracies,
        "median": statistics.median(accuracies),
        "mean": statistics.mean(accuracies),
        "standard_deviation": statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0,
        "best": max(accuracies),
        "median_seconds": {
            part: statistics.median(run["seconds"][part] for run in runs)
            for part in runs[0]["seconds"]
        },
    }


def run(config: Config, dataset: data.Dataset, seed: int, workdir: Path) -> dict[str, Any]:
    """The result of one seed's run, as the trainer makes it."""
    config = replace(config, seed=seed, workdir=str(workdir), dataset=dataset.name)
    with progress.training(config.epochs) as report:
        result = training.fit(config, dataset, claiming.create(config), report)
    command.say(f"seed {seed}, {config.gradient}: {result['test_accuracy']:.2%}")
    return result


if __name__ == "__main__":
    command.leave(main())
