"""The comparison with other libraries: their programs, and the ratios of times."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.common import timing
from experiments.speed import peer_programs, peers, start
from manual_grads.cli import options
from mnist_jax import Config
from mnist_jax.data.dataset import Dataset, Examples
from mnist_jax.training.optimizer import learning_rates
from tests.mnist_jax.data import small_mnist

LINEAR = Config(schedule="linear", warmup_epochs=0.5, epochs=2, learning_rate=0.01, batch_size=20)
SETTINGS = options.values(LINEAR) | {"layer_sizes": [784, 4, 10]}


def test_the_programs_have_the_learning_rates_of_the_trainer():
    steps = 20
    expected = learning_rates(LINEAR, steps // LINEAR.epochs, jnp.arange(steps))
    found = [peer_programs.rate(SETTINGS, step, steps) for step in range(steps)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["pytorch", "plain_jax", "scikit_learn"])
def test_each_library_learns_what_its_files_say(name, tmp_path, monkeypatch):
    """The labels follow from the images, and the test images are among the training images."""
    if name == "pytorch":
        pytest.importorskip("torch", reason="PyTorch is in the extra `benchmark` only")
    random = np.random.default_rng(0)
    labels = np.arange(60, dtype=np.uint8) % 10
    images = random.integers(0, 60, (60, 28, 28), np.uint8)
    images[np.arange(60), labels] = 255
    contents = dict(zip(small_mnist.NAMES, (images, labels, images[:20], labels[:20]), strict=True))
    made = {name: small_mnist.idx_bytes(array) for name, array in contents.items()}
    monkeypatch.setattr(small_mnist, "contents", lambda: made)
    monkeypatch.setattr(peer_programs, "CONSTANT_RATE", 0.01)
    settings = SETTINGS | {"epochs": 20, "layer_sizes": [784, 30, 10]}
    settings["data_dir"] = str(small_mnist.write(tmp_path))
    with jax.numpy_dtype_promotion("standard"):  # as outside these tests
        accuracy, rates = peer_programs.PROGRAMS[name](settings)
    assert accuracy == 1.0
    assert len(rates) == 20
    assert min(rates) > 0


def test_the_ratios_are_of_medians_and_of_the_fastest_epochs(tmp_path, monkeypatch):
    """The seconds and rates are given by a list; each round has another seed."""
    started = []

    def whole(words):
        started.append(words)
        if "mnist_jax.train" in words:
            config = options.parse(Config, [word for word in words[3:] if "cache" not in word])
            folder = Path(config.workdir or "")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "result.json").write_text('{"test_accuracy": 0.5}')
            return start.Ended((4.0 if "cold" in folder.name else 2.0) + config.seed, 1.0, "")
        name, rates = words[3], {"ours": [1.0, 6.0], "pytorch": [3.0], "plain_jax": [2.0]}
        seed = json.loads(words[4])["seed"]
        printed = json.dumps({"accuracy": 0.25, "rates": rates.get(name, [1.0])})
        return start.Ended(8.0 + seed, 1.0, printed)

    nothing = Examples(np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8))
    monkeypatch.setattr(peers.data, "load", lambda *_: Dataset("mnist", nothing, nothing, {}))
    monkeypatch.setattr(peers, "whole", whole)
    numbers = peers.measure(replace(LINEAR, data_dir="there"), 3, tmp_path)
    assert numbers["start_medians"]["warm"] == 3.0
    assert numbers["start_ratios"]["warm"] == round(3 / 9, 3)
    assert numbers["start_ratios"]["cold"] == round(5 / 9, 3)
    assert numbers["start_to_answer"]["accuracy"]["warm"] == [0.5] * 3
    assert set(numbers["rate_ratios"].values()) == {2.0}
    assert len(numbers["rate_ratios"]) == len(peers.NETWORKS)


def test_operations_are_those_of_the_matrix_products():
    """Forward pass and weight gradient in each layer; nothing is backpropagated to the input."""
    assert timing.operations((784, 5, 3, 10), 7) == 2 * 7 * (2 * 784 * 5 + 3 * (5 * 3 + 3 * 10))
