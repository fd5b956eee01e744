"""Tests whether wrong bias gradients explain why a document's author found training unreliable.

    python -m experiments.biases

The document is the text that this project starts from. Trains its author's first network with each
activation, target function and way to train biases, from many seeds. Then trains the author's later
network on MNIST in each of these ways. If the command is started again with the same options, it
computes only the results that are missing in runs/.cache/.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from rich.progress import track

from experiments.biases import first_task, later_network, report
from experiments.biases.variants import VARIANTS
from experiments.common import cache, record, sweep
from manual_grads.cli import A_PATH, ANY, AT_LEAST_1, command, one_of, options
from mnist_jax import Config, data

NAME = "biases"
FLAGS = Path(__file__).parents[1] / "document.flags"


@dataclass(frozen=True)
class Options(cache.CachedOutput):
    """The numbers of seeds, steps and epochs, and the data."""

    seeds: Annotated[int, "seeds of the author's first network", AT_LEAST_1] = 200
    steps: Annotated[int, "steps of the author's first network", AT_LEAST_1] = 6000
    mnist_seeds: Annotated[int, "seeds of the author's later network", AT_LEAST_1] = 10
    mnist_epochs: Annotated[int, "epochs of the author's later network", AT_LEAST_1] = 40
    quick: Annotated[bool, "only 20 seeds, 300 steps, 2 MNIST seeds, 2 MNIST epochs", ANY] = False
    dataset: Annotated[
        str, "as for mnist_jax.train", one_of("auto", "mnist", "fashion_mnist", "digits")
    ] = "auto"
    data_dir: Annotated[str | None, "as for mnist_jax.train", A_PATH] = None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the given arguments, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Computes the missing results, draws the report, and publishes both with `--publish`."""
    numbers = cache.finished(chosen.out, NAME) if chosen.draw else _made(argv, chosen)
    files = report.draw(numbers)
    record.publish(chosen, *files)
    command.say(f"the report is {files[0]}; all files in {numbers.parent}")


def _made(argv: Sequence[str], chosen: Options) -> Path:
    sweep.use_all_cores()
    if chosen.quick:
        chosen = replace(chosen, seeds=20, steps=300, mnist_seeds=2, mnist_epochs=2)
    config = replace(
        options.parse(Config, [f"--flagfile={FLAGS}"]),
        dataset=chosen.dataset,
        data_dir=chosen.data_dir,
        epochs=chosen.mnist_epochs,
    )
    dataset = data.load(config, command.say)
    out = record.folder(chosen.out, NAME)
    make = partial(cache.result, cache.digest("experiments.biases", dataset.sha256, chosen, config))
    tasks = [*itertools.product(first_task.TARGETS, first_task.TASK_ACTIVATIONS, VARIANTS)]
    seeds = range(chosen.mnist_seeds)
    numbers = {
        "dataset": dataset.name,
        "seeds": chosen.seeds,
        "tasks": [
            make(f"task {task}", partial(first_task.row, *task, chosen.seeds, chosen.steps))
            for task in track(tasks, "first task, each variant")
        ],
        "mnist": [
            make(f"mnist {variant}", partial(later_network.row, config, dataset, variant, seeds))
            for variant in VARIANTS
        ],
        "mnist_seeds": chosen.mnist_seeds,
        "mnist_epochs": chosen.mnist_epochs,
    }
    return record.save(out / f"{NAME}.json", "experiments.biases", argv, numbers)


if __name__ == "__main__":
    command.leave(main())
