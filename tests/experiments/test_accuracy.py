"""The accuracies over seeds: each from a run of its own, summed up as they say."""

import json
from pathlib import Path

import pytest

from experiments import accuracy, results

WORDS = ["--dataset=digits", "--layer_sizes=784,8,10", "--epochs=1", "--seeds=3,4"]


def test_each_seed_is_a_run_and_the_summary_is_of_all(capsys):
    assert accuracy.main(WORDS) == 0
    out = Path("runs/base-accuracy")
    record = json.loads((out / "accuracy.json").read_text())
    runs = [json.loads((out / f"seed-{seed}" / "result.json").read_text()) for seed in (3, 4)]
    assert record["test_accuracy"] == [run["test_accuracy"] for run in runs]
    assert record["mean"] == pytest.approx(sum(record["test_accuracy"]) / 2)
    assert record["best"] == max(record["test_accuracy"])
    assert record["command"] == "python -m experiments.accuracy " + " ".join(WORDS)
    assert json.loads((out / "seed-4" / "config.json").read_text())["seed"] == 4


def test_only_publish_changes_the_committed_results(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(results, "PUBLISHED", tmp_path / "results")
    assert accuracy.main(WORDS) == 0
    assert not results.PUBLISHED.exists()
    assert accuracy.main([*WORDS, "--publish"]) == 0
    published = {path.name for path in results.PUBLISHED.iterdir()}
    assert published == {"base_accuracy.json", "base_learning_curve.png"}


@pytest.mark.parametrize("seeds", ["none", "1,1", "-1"])
def test_seeds_that_are_none_are_refused(seeds, capsys):
    assert accuracy.main([f"--seeds={seeds}"]) == 1
    assert "--seeds must be at least one seed" in capsys.readouterr().err


def test_the_folders_of_a_machine_are_not_recorded(tmp_path):
    results.save(tmp_path / "a.json", "m", ["--out=/here", "--seed=1", "--data_dir=/there"], {})
    assert json.loads((tmp_path / "a.json").read_text())["command"] == "python -m m --seed=1"
