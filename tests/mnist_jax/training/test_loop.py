"""A complete run: its files, its reproducibility, and the errors that stop it."""

import json
from concurrent.futures import Future
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mnist_jax
from manual_grads import Architecture
from mnist_jax import data, figures, runs, training
from mnist_jax.clock import start_clock
from mnist_jax.config import Config
from mnist_jax.runs import directory
from mnist_jax.training import NotFiniteError, evaluate, failures, loop
from mnist_jax.training.state import begin
from tests.mnist_jax.runs.new_run import create

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = Architecture(layer_sizes=(784, 8, 10))


def run(workdir, **fields):
    config = Config(**{"architecture": SMALL, "dataset": "digits", "epochs": 2, **fields})
    config = Config(**{**vars(config), "workdir": str(workdir)})
    workdir = create(config)
    clock = start_clock()
    clock.parts["load"] = 0.001
    return training.train_and_save(config, data.load(config), workdir, clock=clock)


def test_a_run_evaluates_once_in_each_epoch(tmp_path, monkeypatch):
    """Two processes of a run must evaluate equally often, and `scaling.json` counts on it."""
    compile_training, calls = loop.compile_training, []

    def counting(*arguments):
        compiled, state = compile_training(*arguments)

        def evaluate(params):
            calls.append(params)
            return compiled.evaluate(params)

        return compiled._replace(evaluate=evaluate), state

    monkeypatch.setattr(loop, "compile_training", counting)
    run(tmp_path)
    assert len(calls) == 2


def test_the_run_directory_holds_what_its_contract_says(tmp_path):
    result = run(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *directory.FILES,
        "checkpoints",
        ".lock",
    }
    assert json.loads((tmp_path / "result.json").read_text()) == result
    assert set(result) == {
        "dataset", "data_sha256", "train_examples", "test_examples", "test_accuracy",
        "test_errors", "train_loss", "epochs", "steps", "gradient", "precision", "seconds",
        "examples_per_second", "device", "mesh", "versions",
    }  # fmt: skip
    parts = {"imports", "load", "compile", "train", "evaluate", "files"}
    assert set(result["seconds"]) == parts | {"total"}
    assert result["seconds"]["load"] == 0.001
    parts = sum(value for name, value in result["seconds"].items() if name != "total")
    assert parts <= result["seconds"]["total"]
    assert result["dataset"] == "digits"
    assert result["test_errors"] == round((1 - result["test_accuracy"]) * 360)
    assert result["examples_per_second"] == pytest.approx(1437 * 2 / result["seconds"]["train"])
    assert set(result["versions"]) == {"python", "jax", "jaxlib", "numpy", "optax"}

    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert [line["step"] for line in lines] == [6, 12]
    assert set(lines[0]) == {
        "epoch", "step", "train_loss", "train_accuracy", "test_loss", "test_accuracy",
        "learning_rate", "seconds",
    }  # fmt: skip
    assert lines[-1]["test_accuracy"] == result["test_accuracy"]
    assert lines[-1]["train_loss"] == result["train_loss"]
    assert sum(line["seconds"] for line in lines) <= result["seconds"]["total"]


def test_the_loaded_parameters_have_the_accuracy_of_the_result(tmp_path):
    result = run(tmp_path)
    config, params = mnist_jax.load(tmp_path)
    test = data.load(config).test
    a = test.images.reshape(-1, 784) / np.float32(255)
    hidden = np.maximum(a @ np.asarray(params[1]["weight"]).T + np.asarray(params[1]["bias"]), 0)
    outputs = hidden @ np.asarray(params[2]["weight"]).T + np.asarray(params[2]["bias"])
    assert np.mean(outputs.argmax(axis=1) == test.labels) == result["test_accuracy"]


def test_metrics_of_an_untouched_network_are_means_over_the_examples(tmp_path):
    """The rate 1e-30 changes no parameter, so the last batch must count as 37 of 1,437 examples."""
    run(tmp_path, optimizer="sgd", learning_rate=1e-30, batch_size=100, epochs=1)
    config, params = mnist_jax.load(tmp_path)
    (line,) = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    dataset = data.load(config)
    for part, examples in (("train", dataset.train), ("test", dataset.test)):
        images, labels = map(jnp.asarray, examples)
        loss, right, _ = evaluate(config.architecture, params, images, labels)
        assert line[f"{part}_loss"] == pytest.approx(float(loss), rel=1e-5)
        assert line[f"{part}_accuracy"] == int(right) / len(labels)


def test_the_tested_loss_is_the_mean_of_the_smoothed_cross_entropy(tmp_path):
    run(tmp_path)
    config, params = mnist_jax.load(tmp_path)
    images, labels = data.load(config).test
    z = np.maximum(images.reshape(-1, 784) / 255 @ params[1]["weight"].T + params[1]["bias"], 0)
    z = np.asarray(z @ params[2]["weight"].T + params[2]["bias"], np.float64)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    targets = 0.9 * np.eye(10)[labels] + 0.01
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["test_loss"] == pytest.approx(-(targets * log_p).sum(axis=1).mean(), rel=1e-5)


def test_the_learning_rate_of_an_epoch_is_that_of_its_last_step(tmp_path):
    run(
        tmp_path, batch_size=479, epochs=2, learning_rate=1.0, optimizer="sgd", weight_decay=0.0,
        schedule="cosine", warmup_epochs=0.0,
    )  # fmt: skip
    lines = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    expected = [(1 + np.cos(np.pi * step / 6)) / 2 for step in (2, 5)]
    assert [line["learning_rate"] for line in lines] == pytest.approx(expected, rel=1e-5)


def test_the_result_is_written_last(tmp_path, monkeypatch):
    def fail(*arguments):
        raise runs.RunDirectoryError("a disk", "full", "space")

    monkeypatch.setattr(figures, "write", fail)
    with pytest.raises(runs.RunDirectoryError):
        run(tmp_path)
    assert (tmp_path / "parameters.safetensors").exists()
    assert not (tmp_path / "result.json").exists()


def test_the_result_is_of_the_last_epoch_not_of_the_best(tmp_path):
    """The learning rate rises so much that the network gets worse in the end."""
    result = run(
        tmp_path, optimizer="sgd", schedule="constant", learning_rate=60.0,
        warmup_epochs=3.0, epochs=4, weight_decay=0.0,
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    accuracies = [line["test_accuracy"] for line in lines]
    assert max(accuracies) > accuracies[-1] == result["test_accuracy"]


def test_too_little_memory_is_reported_in_three_parts(tmp_path):
    with pytest.raises(training.MemoryExceededError, match="must fit into the device's memory"):
        run(tmp_path, architecture=Architecture(layer_sizes=(784, 10**9, 10)))


def test_a_loss_that_is_not_finite_before_any_step_is_the_initial_weights(tmp_path):
    with pytest.raises(NotFiniteError, match=r"--init_scale below 1e\+30"):
        run(tmp_path, init_scale=1e30)


def deterministic(workdir):
    """All files of a run, without the times in them."""
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


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_what_was_written(monkeypatch):
    config = Config(
        architecture=SMALL,
        dataset="digits",
        epochs=5,
        batch_size=479,
        block_steps=1,
        checkpoint_every_seconds=0.0,
        learning_rate=0.003,
    )

    def breaks_in_epoch_2(*arguments):
        functions, start = training.compile_training(*arguments)

        def train_block(state, epoch, block):
            state, trained = functions.train_block(state, epoch, block)
            if (epoch, block) == (2, 1):
                losses = trained.steps.losses + np.nan
                trained = trained._replace(steps=trained.steps._replace(losses=losses))
            return state, trained

        return functions._replace(train_block=train_block), start

    monkeypatch.setattr(loop, "compile_training", breaks_in_epoch_2)
    with pytest.raises(NotFiniteError, match=r"nan in epoch 2, at step 5;") as stop:
        training.train_and_save(config, data.load(config), create(config))
    assert "--learning_rate below 0.003" in str(stop.value)
    assert "runs/base" in str(stop.value)
    kept = {path.name for path in Path("runs/base").iterdir()}
    assert kept == {".lock", "config.json", "metrics.jsonl", "checkpoints"}
    assert json.loads(Path("runs/base/metrics.jsonl").read_text())["epoch"] == 1
    assert runs.checkpoints.held(Path("runs/base/checkpoints"))[-1] == 4


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_first_step_that_is_not_finite_is_named(value, tmp_path):
    losses = np.ones(10, np.float32)
    losses[3:] = value
    with pytest.raises(NotFiniteError, match=rf"{value} in epoch 2, at step 14;"):
        failures.require_finite(Config(), tmp_path, losses, epoch=2, step=11, taken=10)


def test_a_state_that_is_not_finite_is_never_saved():
    config = Config(architecture=SMALL, dataset="digits")
    dataset = data.load(config)
    state = training.start(config, dataset).state
    run = begin(config, dataset, state, {})
    broken = state._replace(params=jax.tree.map(lambda leaf: leaf * jnp.nan, state.params))
    saved = []

    def save(step, run, best_step):
        saved.append(run)
        return Future()

    loop._save(run, save)
    assert loop._save(run._replace(state=broken), save).done()
    assert saved == [run]
