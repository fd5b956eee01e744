"""Trains once with each seed, and reports the test accuracies and their summary.

    python -m experiments.accuracy --flagfile=experiments/base.flags --seeds=0,1,2,3,4

All CPU cores, or all accelerators, train at the same time with different seeds. Writes
OUT/accuracy.json, and the learning curve of the first seed beside it.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from experiments.common import record, sweep
from manual_grads.cli import SEED, Rule, command
from mnist_jax import Config, data, figures, runs

FILE = "accuracy.json"
SEEDS = Rule(
    "be at least one seed, all different, each at least 0 and below 2**32",
    lambda seeds: len(set(seeds)) == len(seeds) >= 1 and all(map(SEED.holds, seeds)),
)


@dataclass(frozen=True)
class Options(record.Output):
    """The seeds, and the configuration to train with each of them."""

    WITHOUT_EFFECT: ClassVar = (*record.Output.WITHOUT_EFFECT, *sweep.WITHOUT_EFFECT)

    seeds: Annotated[tuple[int, ...], "train once with each seed; --seed is ignored", SEEDS] = (
        *range(5),
    )
    config: Config = field(default_factory=Config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the given arguments, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Trains with each seed, and writes and prints the summary."""
    sweep.use_all_cores()
    dataset = data.load(chosen.config, command.say)
    out = record.folder(chosen.out, f"{chosen.config.name}-accuracy")
    if (out / FILE).exists():
        raise runs.RunDirectoryError(
            f"{out} must not contain results already", f"a file {FILE}", "another --out=FOLDER"
        )
    histories = sweep.train_seeds(chosen.config, dataset, chosen.seeds)
    numbers = {
        "dataset": dataset.name,
        "train_examples": len(dataset.train.labels),
        "test_examples": len(dataset.test.labels),
        "seeds": list(chosen.seeds),
        **summary([history[-1]["test_accuracy"] for history in histories]),
    }
    curve = runs.directory.LEARNING_CURVE
    figures.write(out, {curve: figures.learning_curve(histories[0])})
    saved = record.save(out / FILE, "experiments.accuracy", argv, numbers)
    record.publish(chosen, saved, out / curve, prefix=f"{chosen.config.name}_")
    command.say(
        f"median {numbers['median']:.2%}, mean {numbers['mean']:.2%} ± "
        f"{numbers['standard_deviation']:.2%}, best {numbers['best']:.2%}; all files in {out}"
    )


def summary(accuracies: Sequence[float]) -> dict[str, Any]:
    """All test accuracies, and their median, mean, sample standard deviation and maximum."""
    return {
        "test_accuracy": list(accuracies),
        "median": statistics.median(accuracies),
        "mean": statistics.mean(accuracies),
        "standard_deviation": statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0,
        "best": max(accuracies),
    }


if __name__ == "__main__":
    command.leave(main())
