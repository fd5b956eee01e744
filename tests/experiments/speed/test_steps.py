"""The step times: the measured seconds, and their ratios."""

import json
import statistics
from pathlib import Path

import pytest

from experiments.common import record
from experiments.speed import __main__ as speed
from experiments.speed import steps


def test_a_ratio_is_of_one_rounds_epochs_and_the_median_counts():
    seconds = {"autodiff": [1.0, 2.0, 4.0], "manual": [2.0, 3.0, 4.0], "checked": [3.0, 6.0, 20.0]}
    numbers = steps.summary(seconds, steps=10)
    assert numbers["median_step_seconds"] == pytest.approx(
        {"autodiff": 0.2, "manual": 0.3, "checked": 0.6}
    )
    assert numbers["ratios"] == {
        "manual": {"median": 1.5, "smallest": 1.0, "largest": 2.0},
        "checked": {"median": 3.0, "smallest": 3.0, "largest": 5.0},
    }


def test_every_gradient_is_timed_in_every_round(capsys, monkeypatch):
    monkeypatch.setattr(record, "PUBLISHED", Path("published"))
    words = "--parts=steps --dataset=digits --layer_sizes=784,4,10 --batch_size=479 --rounds=3"
    assert speed.main([*words.split(), "--publish"]) == 0
    numbers = json.loads(Path("published/base_step_time.json").read_text())
    assert numbers["command"] == f"python -m experiments.speed {words} --publish"
    assert (numbers["layer_sizes"], numbers["batch_size"]) == ([784, 4, 10], 479)
    seconds = numbers["epoch_seconds"]
    assert {name: len(taken) for name, taken in seconds.items()} == {
        "autodiff": 3,
        "manual": 3,
        "checked": 3,
    }
    # 1,437 digits are three steps of 479
    assert numbers["median_step_seconds"]["checked"] == statistics.median(seconds["checked"]) / 3
    printed = capsys.readouterr().out.splitlines()[-2]
    assert f"manual {numbers['ratios']['manual']['median']:.3f}" in printed
