"""The accuracies over seeds: the file has each of them, and the summary is right."""

import json
from pathlib import Path

import pytest

from experiments import accuracy
from experiments.common import record, sweep
from manual_grads import Architecture
from mnist_jax import Config, data

ONE = ["--dataset=digits", "--layer_sizes=784,8,10", "--epochs=1", "--seeds=3"]
WORDS = [*ONE[:-1], "--seeds=3,4"]


@pytest.mark.usefixtures("undrawn")
def test_the_file_has_the_accuracy_of_each_seed_and_their_summary(capsys):
    assert accuracy.main(WORDS) == 0
    numbers = json.loads(Path("runs/base-accuracy/accuracy.json").read_text())
    dataset = data.load(Config(dataset="digits"))
    config = Config(architecture=Architecture(layer_sizes=(784, 8, 10)), epochs=1)
    alone = [history[-1] for history in sweep.train_seeds(config, dataset, (3, 4))]
    assert numbers["test_accuracy"] == [metrics["test_accuracy"] for metrics in alone]
    assert numbers["mean"] == pytest.approx(sum(numbers["test_accuracy"]) / 2)
    assert numbers["best"] == max(numbers["test_accuracy"])
    assert numbers["test_examples"] == len(dataset.test.labels)
    assert numbers["command"] == "python -m experiments.accuracy " + " ".join(WORDS)


def test_only_publish_changes_the_committed_results(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(record, "PUBLISHED", tmp_path / "results")
    assert accuracy.main(ONE) == 0
    assert not record.PUBLISHED.exists()
    assert accuracy.main([*ONE, "--publish"]) == 0
    published = {path.name for path in record.PUBLISHED.iterdir()}
    assert published == {"base_accuracy.json", "base_learning_curve.png"}
    curve = (record.PUBLISHED / "base_learning_curve.png").read_bytes()
    assert curve == Path("runs/base-accuracy-2/learning_curve.png").read_bytes()


@pytest.mark.parametrize("seeds", ["none", "1,1", "-1"])
def test_seeds_that_are_none_are_refused(seeds, capsys):
    assert accuracy.main([f"--seeds={seeds}"]) == 1
    assert "--seeds must be at least one seed" in capsys.readouterr().err


def test_the_summary_is_of_all_runs():
    summary = accuracy.summary([0.5, 0.75, 0.5, 0.25, 0.0])
    assert summary["median"] == 0.5
    assert summary["mean"] == 0.4
    assert summary["standard_deviation"] == pytest.approx((0.325 / 4) ** 0.5)
    assert summary["best"] == 0.75


@pytest.mark.usefixtures("undrawn")
def test_earlier_results_are_never_overwritten(capsys):
    assert accuracy.main(ONE) == 0
    before = Path("runs/base-accuracy/accuracy.json").read_bytes()
    assert accuracy.main(ONE) == 0
    assert Path("runs/base-accuracy/accuracy.json").read_bytes() == before
    assert accuracy.main([*ONE, "--out=runs/base-accuracy"]) == 1
    assert "must not contain results already" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["--workdir=here", "--overwrite"])
def test_the_trainers_own_places_are_refused(word, capsys):
    assert accuracy.main([*WORDS, "--workdir=here", word]) == 1
    assert "must get its folder from --out" in capsys.readouterr().err
