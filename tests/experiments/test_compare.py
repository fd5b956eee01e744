"""The comparison of the two gradients: the same runs but for the gradient, held side by side."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

import mnist_jax
from experiments import compare, results
from manual_grads.architecture import Architecture
from mnist_jax import data, train
from mnist_jax.config import Config

TINY = Config(
    dataset="digits",
    architecture=Architecture(layer_sizes=(784, 4, 10)),
    batch_size=100,
    epochs=2,
)
DIGITS = data.load(TINY)
WORDS = "--dataset=digits --layer_sizes=784,4,10 --batch_size=100 --epochs=2"


def test_both_gradients_train_from_every_seed_and_are_summed_up(capsys, monkeypatch):
    monkeypatch.setattr(results, "PUBLISHED", Path("published"))
    words = f"{WORDS} --seeds=3,5 --distance_after=1,7,1000 --publish"
    assert compare.main(words.split()) == 0
    record = json.loads(Path("published/base_compare.json").read_text())
    for name, accuracies in record["test_accuracy"].items():
        for seed, accuracy in zip((3, 5), accuracies, strict=True):
            workdir = f"runs/base-compare/{name}-{seed}"
            assert mnist_jax.load(workdir)[0].gradient == name
            assert mnist_jax.load(workdir)[0].seed == seed
            result = json.loads(Path(workdir, "result.json").read_text())
            assert result["test_accuracy"] == accuracy
        assert record["mean_test_accuracy"][name] == pytest.approx(sum(accuracies) / 2)
    means = record["mean_test_accuracy"]
    assert record["mean_difference"] == means["manual"] - means["autodiff"]
    assert list(record["relative_distance_of_parameters"]) == ["1", "7"]  # of 30 steps


def test_parameters_are_followed_as_the_trainer_trains_them():
    """1,437 digits: 14 whole steps and a partial one an epoch, so 30 steps are two epochs."""
    *_, last = compare.parameters_after(TINY, DIGITS, [1, 14, 15, 16, 30])
    assert train.main([*WORDS.split(), "--workdir=run"]) == 0
    _, trained = mnist_jax.load("run")
    jax.tree.map(lambda one, other: np.testing.assert_array_equal(one, other), last, trained)


def test_a_distance_is_of_the_whole_parameters_and_relative():
    scaled = replace(TINY, init_scale=2.0, learning_rate=1e-30)
    still = replace(TINY, learning_rate=1e-30)
    apart = compare.distances([still, scaled], DIGITS, [1, 2])
    assert apart == pytest.approx({1: 1.0, 2: 1.0})  # all of ‖θ‖ = ‖2θ − θ‖, for biases are 0
    assert compare.distances([still, still], DIGITS, [1]) == {1: 0.0}
