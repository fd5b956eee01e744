"""The comparison of the two gradients: the compared runs differ only in the gradient."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

import mnist_jax
from experiments.common import record
from experiments.compare import __main__ as compare
from experiments.compare import report
from experiments.compare.gradient_error import in_ulps
from experiments.compare.trajectories import distances, nudged, parameters_after
from manual_grads import Architecture
from mnist_jax import Config, data, model, train

TINY = Config(
    dataset="digits",
    architecture=Architecture(layer_sizes=(784, 4, 10)),
    batch_size=100,
    epochs=2,
)
DIGITS = data.load(TINY)
WORDS = "--dataset=digits --layer_sizes=784,4,10 --batch_size=100 --epochs=2"


@pytest.mark.usefixtures("little_optimised", "undrawn")
def test_all_of_the_comparison_is_made_drawn_and_published(capsys, monkeypatch):
    monkeypatch.setattr(record, "PUBLISHED", Path("published"))
    monkeypatch.setattr(compare, "CASES", [("squared_error", "tanh")])
    words = f"{WORDS} --train_examples=1400 --seeds=5 --marks=1,15,1000"
    words += " --matrix_steps=3 --publish"
    assert compare.main(words.split()) == 0
    numbers = json.loads(Path("published/base_compare.json").read_text())
    dataset = data.load(replace(TINY, train_examples=1400))
    config = replace(TINY, gradient="manual", train_examples=1400)
    assert [compare._accuracies(config, dataset, [5])] == [numbers["test_accuracy"]["manual"]]
    assert [row["step"] for row in numbers["trajectories"]["manual"]] == [1, 15]  # of 28 steps
    rows = numbers["agreement"]["rows"]
    assert len(rows) == 4 * 2  # leaves and gradients
    assert all(0 < row["of_bound"] <= 1 for row in rows)
    entries = 4 * 785 + 10 * 5
    assert {sum(each) for each in numbers["agreement"]["ulp_counts"].values()} == {3 * entries}
    assert 0 <= numbers["matrix"][0]["of_bound_last"] <= 1
    assert Path("published/base_compare.md").read_text() == report.report(numbers)
    assert [path.name for path in Path("published").glob("*.png")] == ["base_compare_errors.png"]


def test_a_summary_is_of_the_differences_seed_by_seed():
    seen = {"autodiff": [0.9, 0.8, 0.7], "manual": [0.91, 0.82, 0.73]}
    numbers = compare.summary(seen)
    assert numbers["difference"]["mean"] == pytest.approx(0.02)
    assert numbers["accuracy"]["autodiff"]["mean"] == pytest.approx(0.8)
    # t = 0.02 / (0.01 / √3) with 2 degrees of freedom: p = 1 − t / √(t² + 2)
    assert numbers["p_value"] == pytest.approx(1 - 12**0.5 / 14**0.5, rel=1e-4)
    assert compare.summary({"autodiff": [0.9], "manual": [0.9]})["p_value"] is None


@pytest.mark.usefixtures("undrawn")
def test_parameters_are_followed_as_the_trainer_trains_them():
    """1,437 digits make 14 full steps and a partial one an epoch, so 30 steps are two epochs."""
    *_, last = parameters_after(TINY, DIGITS, [1, 14, 15, 16, 30])
    assert train.main([*WORDS.split(), "--workdir=run"]) == 0
    _, trained = mnist_jax.load("run")
    jax.tree.map(lambda one, other: np.testing.assert_array_equal(one, other), last, trained)


def test_a_distance_is_of_the_whole_parameters_and_relative():
    still, scaled = (
        replace(TINY, init_scale=scale, learning_rate=1e-30, weight_decay=0.0)
        for scale in (1.0, 2.0)
    )
    for other, expected in ((scaled, 1.0), (still, 0.0)):  # ‖θ‖ = ‖2θ − θ‖, since biases are 0
        first, second = (parameters_after(config, DIGITS, [1, 2]) for config in (still, other))
        rows = distances(first, {"other": second}, [1, 2], TINY, DIGITS)["other"]
        assert [row["step"] for row in rows] == [1, 2]
        assert [row["distance"] for row in rows] == pytest.approx([expected, expected])


def test_the_control_differs_by_one_rounding_of_one_weight():
    params = model.init(jax.random.key(0), TINY.architecture)
    before, after = (np.asarray(tree[-1]["weight"]) for tree in (params, nudged(params)))
    [place] = np.argwhere(before != after)
    assert after[tuple(place)] == np.nextafter(before[tuple(place)], np.float32(np.inf))


def test_an_error_in_units_in_the_last_place_is_that_of_float32():
    reference = np.array([1.0, -1.5, 4.0, 0.75])
    ulp = 2.0**-23
    error = np.array([ulp, 3 * ulp, 4 * ulp, ulp])
    np.testing.assert_array_equal(in_ulps(error, reference), [1, 3, 1, 2])
