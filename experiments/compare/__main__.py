"""Compares training with the handwritten gradient and training by autodiff; all else is equal.

    python -m experiments.compare --flagfile=experiments/base.flags

Measures the errors of both gradients against float64 during training, how fast two trainings
diverge if only their gradients differ, and test accuracies over seeds. It also compares both
gradients on a small network, for every activation and loss. If the command is started again with
the same options, it computes only the results that are missing in runs/.cache/.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from rich.progress import track
from scipy import stats

from experiments import accuracy
from experiments.common import cache, intervals, record, sweep
from experiments.compare import gradient_error, matrix, report, trajectories
from experiments.compare.gradient_error import BOTH
from manual_grads import ACTIVATION_NAMES, LOSS_NAMES
from manual_grads.cli import ANY, AT_LEAST_1, Rule, command
from mnist_jax import Config, data, training

RISING = Rule(
    "be one or more steps, each at least 1, in increasing order",
    lambda steps: len(steps) >= 1 and list(steps) == sorted(set(steps)) and steps[0] >= 1,
)
CASES = [*itertools.product(LOSS_NAMES, ACTIVATION_NAMES)]


@dataclass(frozen=True)
class Options(cache.CachedOutput):
    """The run to compare, its seeds, and the numbers of steps."""

    WITHOUT_EFFECT: ClassVar = (*record.Output.WITHOUT_EFFECT, *sweep.WITHOUT_EFFECT, "gradient")

    seeds: Annotated[
        tuple[int, ...], "train twice with each seed; --seed is ignored", accuracy.SEEDS
    ] = (*range(10),)
    marks: Annotated[
        tuple[int, ...], "compare parameters after these steps, except those beyond the end", RISING
    ] = (1, 3, 10, 30, 100, 300, 1000, 2000)
    matrix_steps: Annotated[int, "steps of each training of the small network", AT_LEAST_1] = 500
    quick: Annotated[
        bool, "only 2 seeds, 2 epochs of 80 steps, 2 marks, and 20 matrix steps", ANY
    ] = False
    config: Config = field(default_factory=Config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the given arguments, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Computes the missing results, draws the report, and publishes both with `--publish`."""
    name = f"{chosen.config.name}_compare"
    numbers = cache.finished(chosen.out, name) if chosen.draw else _made(argv, chosen, name)
    files = report.draw(numbers)
    record.publish(chosen, *files)
    command.say(f"the report is {files[0]}; all files in {numbers.parent}")


def _made(argv: Sequence[str], chosen: Options, name: str) -> Path:
    sweep.use_all_cores()
    dataset = data.load(chosen.config, command.say)
    if chosen.quick:
        batch = chosen.config.batch_size
        examples = min(80, len(dataset.train.labels) // batch) * batch
        small = replace(chosen.config, epochs=2, train_examples=examples)
        dataset = data.load(small)
        chosen = replace(chosen, seeds=(0, 1), marks=(1, 80), matrix_steps=20, config=small)
    config = chosen.config
    out = record.folder(chosen.out, name)
    first = replace(config, seed=chosen.seeds[0], gradient="autodiff")
    make = partial(cache.result, cache.digest("experiments.compare", dataset.sha256, chosen))
    numbers = {
        "name": config.name,
        "dataset": dataset.name,
        "layer_sizes": config.architecture.layer_sizes,
        "batch_size": config.batch_size,
        "epochs": config.epochs,
        "matrix": [
            make(f"matrix {case}", partial(matrix.row, *case, chosen.matrix_steps, dataset))
            for case in track(CASES, "each loss and activation")
        ],
        "agreement": make("agreement", partial(gradient_error.along_the_run, first, dataset)),
        "trajectories": make("trajectories", partial(_trajectories, first, dataset, chosen.marks)),
        "seeds": chosen.seeds,
    }
    seen = {
        gradient: make(
            f"accuracies {gradient}",
            partial(_accuracies, replace(config, gradient=gradient), dataset, chosen.seeds),
        )
        for gradient in BOTH
    }
    numbers |= {"test_accuracy": seen, **summary(seen)}
    return record.save(out / f"{name}.json", "experiments.compare", argv, numbers)


def _accuracies(config: Config, dataset: data.Dataset, seeds: Sequence[int]) -> list[float]:
    histories = sweep.train_seeds(config, dataset, seeds)
    return [history[-1]["test_accuracy"] for history in histories]


def _trajectories(
    config: Config, dataset: data.Dataset, marks: Sequence[int]
) -> dict[str, list[dict[str, Any]]]:
    """The distances from the autodiff run to the manual run, and to a run with a `nudged` start."""
    total = config.epochs * training.steps_per_epoch(config, dataset)
    marks = [step for step in marks if step <= total]
    follow = trajectories.parameters_after
    others = {
        "manual": follow(replace(config, gradient="manual"), dataset, marks),
        "one rounding": follow(config, dataset, marks, trajectories.nudged),
    }
    first = follow(config, dataset, marks)
    return trajectories.distances(first, others, marks, config, dataset)


def summary(seen: dict[str, list[float]]) -> dict[str, Any]:
    """The mean accuracy of each gradient, and Student's paired test of the differences."""
    differences = np.subtract(seen["manual"], seen["autodiff"])
    varied = len(differences) > 1 and np.ptp(differences) > 0
    test = stats.ttest_rel(seen["manual"], seen["autodiff"]) if varied else None
    return {
        "accuracy": {name: intervals.mean(np.array(each)) for name, each in seen.items()},
        "difference": intervals.mean(differences),
        "p_value": intervals.finite(test.pvalue) if test else None,
    }


if __name__ == "__main__":
    command.leave(main())
