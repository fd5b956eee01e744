"""Handwritten and differentiated gradients, everything else equal.

    python -m experiments.compare --flagfile=experiments/base.flags

How far each is from a float64 gradient along a training; how two trainings come apart that differ
in the gradient alone; test accuracies over seeds; cost; and each activation, loss and precision in
small. Stopped and started again with the same options, it goes on with what is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from rich.progress import track
from scipy import stats

from experiments import accuracy
from experiments.common import cache, intervals, record
from experiments.compare import gradient_error, matrix, report, trajectories
from experiments.compare.cost import BOTH, cost
from manual_grads import ACTIVATION_NAMES, LOSS_NAMES
from manual_grads.cli import ANY, AT_LEAST_1, Rule, command
from mnist_jax import Config, data, training

RISING = Rule(
    "be at least one step, each after the one before",
    lambda steps: len(steps) >= 1 and list(steps) == sorted(set(steps)) and steps[0] >= 1,
)


@dataclass(frozen=True)
class Options(cache.CachedOutput):
    """Which run, with which seeds, and how much of it."""

    seeds: Annotated[
        tuple[int, ...], "train twice with each; --seed is not looked at", accuracy.SEEDS
    ] = (*range(10),)
    marks: Annotated[
        tuple[int, ...], "compare parameters after these steps, of those that a run has", RISING
    ] = (1, 3, 10, 30, 100, 300, 1000, 2000)
    rounds: Annotated[int, "rounds in which costs are taken", AT_LEAST_1] = 9
    matrix_steps: Annotated[int, "steps of each small training", AT_LEAST_1] = 500
    quick: Annotated[
        bool, "2 seeds, 2 epochs of 80 steps, 2 marks, 3 rounds, 20 steps in small; for a look", ANY
    ] = False
    config: Config = field(default_factory=Config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Makes what is missing, draws the report, and publishes both where that is asked for."""
    name = f"{chosen.config.name}_compare"
    numbers = cache.finished(chosen.out, name) if chosen.draw else _made(argv, chosen, name)
    files = report.draw(numbers)
    record.publish(chosen, *files)
    command.say(f"the report is {files[0]}; all files in {numbers.parent}")


def _made(argv: Sequence[str], chosen: Options, name: str) -> Path:
    training.require_device()
    dataset = data.load(chosen.config, command.say)
    if chosen.quick:
        batch = chosen.config.batch_size
        examples = min(80, len(dataset.train.labels) // batch) * batch
        small = replace(chosen.config, epochs=2, train_examples=examples)
        dataset = data.load(small)
        chosen = replace(
            chosen, seeds=(0, 1), marks=(1, 80), rounds=3, matrix_steps=20, config=small
        )
    config = chosen.config
    out = record.folder(chosen.out, name)
    first = replace(config, seed=chosen.seeds[0], gradient="autodiff")
    digest = cache.digest("experiments.compare", dataset.sha256, chosen)
    make = partial(cache.result, digest)
    numbers = {
        "name": config.name,
        "dataset": dataset.name,
        "layer_sizes": config.architecture.layer_sizes,
        "batch_size": config.batch_size,
        "epochs": config.epochs,
        "cost": make("cost", partial(cost, config, dataset, chosen.rounds)),
        "matrix": [
            make(
                "matrix " + " ".join(case),
                partial(matrix.row, *case, chosen.matrix_steps, dataset),
            )
            for case in track(_cases(), "each activation, loss and precision")
        ],
        "agreement": make("agreement", partial(gradient_error.along_the_run, first, dataset)),
        "trajectories": make("trajectories", partial(_apart, first, dataset, chosen.marks)),
        "seeds": chosen.seeds,
    }
    seen = {
        gradient: [
            make(
                f"{gradient}-{seed}-accuracy",
                partial(_accuracy, config, dataset, gradient, seed, out / f"{gradient}-{seed}"),
            )
            for seed in chosen.seeds
        ]
        for gradient in BOTH
    }
    numbers |= {"test_accuracy": seen, **summary(seen)}
    return record.save(out / f"{name}.json", "experiments.compare", argv, numbers)


def _cases() -> list[tuple[str, str, str]]:
    return [
        (activation, loss, precision)
        for loss in LOSS_NAMES
        for activation in ACTIVATION_NAMES
        for precision in ("float32", "float64")
    ]


def _accuracy(
    config: Config, dataset: data.Dataset, gradient: str, seed: int, workdir: Path
) -> float:
    """The test accuracy of a run in `workdir`, which may hold one that was stopped."""
    place = {"workdir": str(workdir), "overwrite": True}
    run = replace(config, gradient=gradient, seed=seed, **place)
    return accuracy.run(run, dataset)["test_accuracy"]


def _apart(
    config: Config, dataset: data.Dataset, marks: Sequence[int]
) -> dict[str, list[dict[str, Any]]]:
    """By hand beside autodiff; and, as a control, autodiff from parameters one rounding away."""
    total = config.epochs * training.steps_per_epoch(config, dataset)
    marks = [step for step in marks if step <= total]
    follow = trajectories.parameters_after
    others = {
        "manual": follow(replace(config, gradient="manual"), dataset, marks),
        "one rounding": follow(config, dataset, marks, trajectories.nudged),
    }
    first = follow(config, dataset, marks)
    return trajectories.apart(first, others, marks, config, dataset)


def summary(seen: dict[str, list[float]]) -> dict[str, Any]:
    """Each gradient's mean, and the differences seed by seed, with Student's paired test."""
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
