"""The evaluation of a completed run: the numbers of the run itself, tables, and two figures."""

import json
from pathlib import Path

import numpy as np
import pytest

from mnist_jax import train
from mnist_jax.evaluate import accuracies, confusion_matrix, main

pytestmark = pytest.mark.usefixtures("undrawn")
QUICK = ["--dataset=digits", "--layer_sizes=784,8,10", "--epochs=2", "--workdir=here"]


def test_it_prints_the_accuracy_of_the_run_and_writes_its_numbers(capsys):
    assert train.main(QUICK) == 0
    *_, told = capsys.readouterr().out.splitlines()
    assert main(["--workdir=here"]) == 0
    *tables, last = capsys.readouterr().out.splitlines()
    assert last == told
    numbers = json.loads(Path("here/evaluation.json").read_text())
    result = json.loads(Path("here/result.json").read_text())
    for name in ("dataset", "test_examples", "test_accuracy", "test_errors"):
        assert numbers[name] == result[name]
    confusion = np.array(numbers["confusion"])
    assert confusion.sum() - np.trace(confusion) == result["test_errors"]
    for digit in range(10):
        rows = [line.split() for line in tables if line.split()[:1] == [str(digit)]]
        of_digit, of_confusions = rows
        assert of_digit[1] == str(confusion[digit].sum())
        assert of_confusions[1:] == [str(count) for count in confusion[digit] if count]
    for figure in ("digits.png", "confusion.png"):
        assert Path("here", figure).read_bytes().startswith(b"\x89PNG")


def test_the_confusion_matrix_counts_labels_in_rows_and_answers_in_columns():
    labels, answers = np.array([3, 3, 3, 7], np.uint8), np.array([3, 8, 8, 3])
    confusion = confusion_matrix(labels, answers)
    assert {place: confusion[place] for place in zip(*np.nonzero(confusion), strict=True)} == {
        (3, 3): 1,
        (3, 8): 2,
        (7, 3): 1,
    }
    numbers = accuracies(confusion)
    assert (numbers["test_accuracy"], numbers["test_errors"]) == (0.25, 3)
    three, eight = numbers["digits"][3], numbers["digits"][8]
    assert (three["examples"], three["found"], three["recall"], three["precision"]) == (
        3, 1, 1 / 3, 1 / 2,
    )  # fmt: skip
    assert (eight["examples"], eight["recall"], eight["precision"]) == (0, 0.0, 0.0)


def test_a_run_of_an_earlier_version_is_read_and_one_of_another_format_names_its_version(capsys):
    assert train.main(QUICK) == 0
    path = Path("here/config.json")
    fields = json.loads(path.read_text())
    for later in ("validation_examples", "block_steps", "checkpoint_every_seconds", "version"):
        fields.pop(later)
    path.write_text(json.dumps(fields))
    assert main(["--workdir=here"]) == 0
    capsys.readouterr()
    path.write_text(json.dumps(fields | {"format": 2, "version": "7.1"}))
    assert main(["--workdir=here"]) == 1
    assert "version 7.1 of this program, which wrote it" in capsys.readouterr().err


def test_without_a_workdir_it_says_which_flag_it_needs(capsys):
    assert main([]) == 1
    assert "--workdir must name a run directory" in capsys.readouterr().err


def test_a_run_that_has_not_ended_is_refused(capsys):
    assert train.main(QUICK) == 0
    Path("here/parameters.safetensors").unlink()
    assert main(["--workdir=here"]) == 1
    assert "must hold the parameters of a run that has ended" in capsys.readouterr().err
