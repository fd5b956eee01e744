"""Evaluates a trained network on the test images.

    python -m mnist_jax.evaluate --workdir=runs/base

Prints the recall and precision of each digit, and the confusion matrix. Writes evaluation.json and
two figures, digits.png and confusion.png, into the run directory.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from jaxtyping import Int, UInt8
from rich import box
from rich.console import Console
from rich.table import Table

from manual_grads.cli import A_PATH, OptionError, command, options, paths
from mnist_jax import data, figures, runs, training
from mnist_jax.config import CLASSES


@dataclass(frozen=True)
class Options:
    """The options of the command."""

    workdir: Annotated[str | None, "the directory of a completed run", A_PATH] = None
    data_dir: Annotated[
        str | None, "folder of the four IDX files; the run's --data_dir if not given", A_PATH
    ] = None

    def __post_init__(self):
        options.check(self)
        if self.workdir is None:
            raise OptionError(
                "--workdir must name a run directory", "no --workdir", "--workdir=runs/base"
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the arguments `argv` and returns its exit status."""
    return command.run(evaluate_run, Options, __doc__, argv)


def evaluate_run(chosen: Options) -> None:
    """Loads the network, evaluates it, prints two tables, and writes the numbers and figures."""
    assert chosen.workdir is not None
    command.say(f"evaluating {chosen.workdir}")
    training.require_device()
    workdir = paths.of_user(chosen.workdir)
    runs.directory.require_plain(workdir)
    model = runs.load(workdir)
    data_dir = chosen.data_dir or model.config.data_dir
    config = replace(model.config, data_dir=data_dir, train_examples=None)
    dataset = data.load(config, command.say)
    images, labels = dataset.test
    confusion = confusion_matrix(labels, model.predict(images))
    numbers = {"dataset": dataset.name, **accuracies(confusion), "confusion": confusion.tolist()}
    text = json.dumps(numbers, indent=1, allow_nan=False) + "\n"
    numbers_file, digits, matrix = (workdir / name for name in runs.directory.EVALUATION)
    runs.write(numbers_file, text)
    figures.write(
        workdir,
        {
            digits.name: figures.digits(numbers["digits"]),
            matrix.name: figures.confusion(confusion),
        },
    )
    console = Console()
    console.print(digits_table(numbers["digits"]))
    console.print(confusion_table(confusion))
    command.say(
        f"{numbers['test_accuracy']:.2%} of {len(labels):,} test examples of {dataset.name} right "
        f"({numbers['test_errors']} wrong); all files in {workdir}"
    )


def confusion_matrix(
    labels: UInt8[np.ndarray, " examples"], answers: Int[np.ndarray, " examples"]
) -> Int[np.ndarray, "label answer"]:
    """The number of examples for each pair of label and answer."""
    counts = np.zeros((CLASSES, CLASSES), int)
    np.add.at(counts, (labels, answers), 1)
    return counts


def accuracies(confusion: Int[np.ndarray, "label answer"]) -> dict[str, Any]:
    """The accuracy on all digits; for each digit: examples, correct answers, recall, precision."""
    right, examples, answers = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return {
        "test_examples": int(confusion.sum()),
        "test_accuracy": float(right.sum() / confusion.sum()),
        "test_errors": int(confusion.sum() - right.sum()),
        "digits": [
            {
                "digit": digit,
                "examples": int(examples[digit]),
                "found": int(right[digit]),
                "recall": float(right[digit] / max(examples[digit], 1)),
                "precision": float(right[digit] / max(answers[digit], 1)),
            }
            for digit in range(CLASSES)
        ],
    }


def digits_table(digits: list[dict[str, Any]]) -> Table:
    """A table with one row for each digit."""
    table = Table("digit", box=box.SIMPLE_HEAD)
    for heading in ("examples", "found", "recall", "precision"):
        table.add_column(heading, justify="right")
    for row in digits:
        shares = (f"{row[name]:.2%}" for name in ("recall", "precision"))
        table.add_row(str(row["digit"]), str(row["examples"]), str(row["found"]), *shares)
    return table


def confusion_table(confusion: Int[np.ndarray, "label answer"]) -> Table:
    """The confusion matrix, one row for each digit; zeros are left empty."""
    table = Table("digit, read as", box=box.SIMPLE_HEAD)
    for answer in range(CLASSES):
        table.add_column(str(answer), justify="right")
    for digit, row in enumerate(confusion):
        table.add_row(str(digit), *(str(count) if count else "" for count in row))
    return table


if __name__ == "__main__":
    command.leave(main())
