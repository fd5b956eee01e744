"""A whole run: what it leaves behind, what it repeats, where it stops."""

import json

import numpy as np
import pytest

import mnist_jax
from manual_grads.architecture import Architecture
from mnist_jax import data, run_directory, training
from mnist_jax.config import Config
from mnist_jax.program import Evaluation, Steps
from mnist_jax.training import NotFiniteError

SMALL = Architecture(layer_sizes=(784, 8, 10))


def run(workdir, **fields):
    config = Config(**{"architecture": SMALL, "dataset": "digits", "epochs": 2, **fields})
    config = Config(**{**vars(config), "workdir": str(workdir)})
    workdir = run_directory.create(config)
    return training.fit(config, data.load(config), workdir, seconds={"load": 0.5})


def test_the_run_directory_holds_what_its_contract_says(tmp_path):
    result = run(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(run_directory.FILES)
    assert json.loads((tmp_path / "result.json").read_text()) == result
    assert set(result) == {
        "dataset", "data_sha256", "train_examples", "test_examples", "test_accuracy",
        "test_errors", "train_loss", "epochs", "steps", "gradient", "precision", "seconds",
        "examples_per_second", "device", "versions",
    }  # fmt: skip
    assert set(result["seconds"]) == {"load", "compile", "train", "evaluate", "total"}
    assert result["seconds"]["load"] == 0.5
    parts = sum(value for name, value in result["seconds"].items() if name != "total")
    assert parts <= result["seconds"]["total"]
    assert result["dataset"] == "digits"
    assert result["test_errors"] == round((1 - result["test_accuracy"]) * 360)

    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert [line["step"] for line in lines] == [6, 12]
    assert set(lines[0]) == {
        "epoch", "step", "train_loss", "train_accuracy", "test_loss", "test_accuracy",
        "learning_rate", "seconds",
    }  # fmt: skip
    assert lines[-1]["test_accuracy"] == result["test_accuracy"]


def test_the_loaded_parameters_have_the_accuracy_of_the_result(tmp_path):
    result = run(tmp_path)
    config, params = mnist_jax.load(tmp_path)
    test = data.load(config).test
    a = test.images.reshape(-1, 784) / np.float32(255)
    hidden = np.maximum(a @ np.asarray(params[1]["weight"]).T + np.asarray(params[1]["bias"]), 0)
    outputs = hidden @ np.asarray(params[2]["weight"]).T + np.asarray(params[2]["bias"])
    assert np.mean(outputs.argmax(axis=1) == test.labels) == result["test_accuracy"]


def deterministic(workdir):
    """All that a run writes, apart from times."""
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    result = json.loads((workdir / "result.json").read_text())
    for record in (*lines, result):
        record.pop("seconds")
        record.pop("examples_per_second", None)
    return lines, result, (workdir / "parameters.safetensors").read_bytes()


def test_the_same_flags_and_seed_give_the_same_bits(tmp_path):
    run(tmp_path / "a")
    run(tmp_path / "b")
    assert deterministic(tmp_path / "a") == deterministic(tmp_path / "b")


def test_another_seed_gives_other_parameters(tmp_path):
    run(tmp_path / "a")
    run(tmp_path / "b", seed=1)
    assert deterministic(tmp_path / "a")[2] != deterministic(tmp_path / "b")[2]


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_what_was_written(tmp_path):
    """One step an epoch: at rates 0, 1e38, …, the first epoch is fine and the second is not."""
    with pytest.raises(NotFiniteError, match=r"in epoch 2, at its last step") as stop:
        run(
            tmp_path,
            optimizer="sgd",
            learning_rate=3e38,
            warmup_epochs=2.0,
            schedule="constant",
            batch_size=2000,
            epochs=5,
        )
    assert "--learning_rate below 3e+38" in str(stop.value)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "metrics.jsonl"}
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["epoch"] == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_first_step_that_is_not_finite_is_named(value):
    losses = np.ones(10, np.float32)
    losses[3:] = value
    steps = Steps(losses, np.zeros(10, np.int32), np.full(10, 5))
    tested = Evaluation(1.0, 0, np.zeros((1, 10), np.float32))
    with pytest.raises(NotFiniteError, match=rf"{value} in epoch 2, at step 14;"):
        training._require_finite(Config(), steps, tested, epoch=2)
