"""The step times: whose ratio is written, of which seconds."""

import json
import statistics
from pathlib import Path

import pytest

from experiments import results, step_time


def test_a_ratio_is_of_one_rounds_epochs_and_the_median_counts():
    seconds = {"autodiff": [1.0, 2.0, 4.0], "manual": [2.0, 3.0, 4.0], "checked": [3.0, 6.0, 20.0]}
    numbers = step_time.summary(seconds, steps=10)
    assert numbers["median_step_seconds"] == pytest.approx(
        {"autodiff": 0.2, "manual": 0.3, "checked": 0.6}
    )
    assert numbers["ratios"] == {
        "manual": {"median": 1.5, "smallest": 1.0, "largest": 2.0},
        "checked": {"median": 3.0, "smallest": 3.0, "largest": 5.0},
    }


def test_every_gradient_is_timed_in_every_round(capsys, monkeypatch):
    monkeypatch.setattr(results, "PUBLISHED", Path("published"))
    words = "--dataset=digits --layer_sizes=784,4,10 --batch_size=479 --rounds=3 --publish"
    assert step_time.main(words.split()) == 0
    record = json.loads(Path("published/base_step_time.json").read_text())
    assert record["command"] == f"python -m experiments.step_time {words}"
    assert (record["layer_sizes"], record["batch_size"]) == ([784, 4, 10], 479)
    seconds = record["epoch_seconds"]
    assert {name: len(taken) for name, taken in seconds.items()} == {
        "autodiff": 3,
        "manual": 3,
        "checked": 3,
    }
    # 1,437 digits are three steps of 479
    assert record["median_step_seconds"]["checked"] == statistics.median(seconds["checked"]) / 3
    printed = capsys.readouterr().out.splitlines()[-1]
    assert f"manual {record['ratios']['manual']['median']:.3f}" in printed
