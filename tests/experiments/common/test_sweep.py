"""Training with several seeds at once gives each seed's own run; only rounding may differ."""

import functools
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.common import sweep
from manual_grads import Architecture
from manual_grads.derivatives import network
from mnist_jax import Config, data, training

CONFIG = Config(
    dataset="digits",
    architecture=Architecture(layer_sizes=(784, 6, 10)),
    batch_size=100,
    epochs=2,
    validation_examples=200,
)
DIGITS = data.load(CONFIG)
SEEDS = (5, 0, 7, 2**32 - 1, 1, 2, 3, 4, 6, 8)
"""More seeds than the 8 devices of the tests, and not a multiple of them."""


@functools.cache
def alone(seed: int) -> sweep.History:
    """The history of the training command's own functions with this seed."""
    compiled, state = training.compile_training(replace(CONFIG, seed=seed), DIGITS)
    assert compiled.validate is not None
    history = []
    for epoch in range(1, CONFIG.epochs + 1):
        state, blocks = training.train_epoch(compiled, state, epoch)
        metrics: sweep.Metrics = {"epoch": epoch}
        losses, right = (
            np.concatenate([np.asarray(getattr(block.steps, name)) for block in blocks])
            for name in ("losses", "correct")
        )
        examples = np.concatenate([block.examples for block in blocks])
        metrics["train_loss"] = np.dot(losses, examples) / examples.sum()
        metrics["train_accuracy"] = right.sum() / examples.sum()
        for part, run in (("test", compiled.evaluate), ("validation", compiled.validate)):
            found = run(state.params)
            metrics[f"{part}_loss"] = found.loss
            metrics[f"{part}_accuracy"] = found.correct / len(found.outputs)
        history.append(metrics)
    return history


@pytest.mark.parametrize("at_once", [None, 2])
def test_each_seed_of_a_sweep_takes_the_steps_of_its_own_run(at_once):
    histories = sweep.train_seeds(CONFIG, DIGITS, SEEDS, at_once=at_once)
    assert len(histories) == len(SEEDS)
    for seed in (2**32 - 1, 8):
        found = histories[SEEDS.index(seed)]
        for metrics, expected in zip(found, alone(seed), strict=True):
            assert metrics == pytest.approx(expected, rel=1e-4)


def test_a_seed_whose_loss_is_not_finite_ends_the_sweep_and_is_named():
    config = replace(CONFIG, learning_rate=1e30, optimizer="sgd", epochs=1)
    with pytest.raises(training.NotFiniteError, match=r"epoch 1, at step .*, with --seed=3"):
        sweep.train_seeds(config, DIGITS, (3, 4))


def test_a_sweep_trains_with_the_mode_and_evaluates_the_parameters_of_its_changes():
    """Without a gradient, nothing changes; with parameters of 0, all ten digits are as likely."""

    def no_gradient(params, images, targets, weights):
        return jnp.float32(0), jax.tree.map(jnp.zeros_like, params)

    still = sweep.Changes(training.mode(CONFIG)._replace(value_and_grad=no_gradient))
    config = replace(CONFIG, weight_decay=0.0)
    ((first, second),) = sweep.train_seeds(config, DIGITS, (3,), changes=still)
    assert first["test_loss"] == second["test_loss"]
    zero = sweep.Changes(used=lambda params: jax.tree.map(jnp.zeros_like, params))
    ((metrics, _),) = sweep.train_seeds(config, DIGITS, (3,), changes=zero)
    assert metrics["test_loss"] == pytest.approx(np.log(10), rel=1e-5)


def test_a_sweep_may_go_on_when_a_seed_diverges():
    config = replace(CONFIG, learning_rate=1e30, optimizer="sgd", epochs=1)
    changes = sweep.Changes(may_diverge=True)
    for (metrics,) in sweep.train_seeds(config, DIGITS, (3, 4), changes=changes):
        assert not np.isfinite(metrics["test_loss"])


def test_a_wrong_handwritten_gradient_ends_a_checked_sweep(monkeypatch):
    right = network.leaf_derivatives

    def wrong(*arguments):
        gradient = right(*arguments)
        gradient[1]["weight"] = 1.5 * gradient[1]["weight"]
        return gradient

    monkeypatch.setattr(network, "leaf_derivatives", wrong)
    architecture = Architecture(layer_sizes=(784, 7, 10))  # whose traces no other test finds
    config = replace(CONFIG, architecture=architecture, gradient="checked", epochs=1)
    with pytest.raises(training.DisagreementError, match=r"(?s)1/weight.*--seed=3"):
        sweep.train_seeds(config, DIGITS, (3,))


def test_each_core_that_a_process_may_use_is_a_device(monkeypatch):
    """In a process of its own, because JAX makes its devices once."""
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    program = "import os; os.sched_getaffinity = lambda _: {1, 4, 7}; import jax; "
    program += "from experiments.common import sweep; sweep.use_all_cores(); "
    program += "assert jax.device_count() == 3"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
