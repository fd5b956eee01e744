"""The optimisers: each update from its formula, and the learning rate over the steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_jax.config import Config
from mnist_jax.optimizer import optimizer, schedule

PARAMS = [{}, {"weight": jnp.array([[2.0]]), "bias": jnp.array([4.0])}]
GRADIENTS = [
    [{}, {"weight": jnp.array([[0.5]]), "bias": jnp.array([-1.0])}],
    [{}, {"weight": jnp.array([[0.25]]), "bias": jnp.array([1.0])}],
]


def updates(config):
    """The two updates that the two gradients make, as (weight, bias)."""
    update = optimizer(config, steps_per_epoch=10)
    with jax.numpy_dtype_promotion("standard"):
        state, made = update.init(PARAMS), []
        for gradient in GRADIENTS:
            change, state = update.update(gradient, state, PARAMS)
            bias, weight = map(np.asarray, jax.tree.leaves(change))
            made.append((weight.item(), bias.item()))
    return made


def constant(name, **fields):
    fields = {"weight_decay": 0.0, **fields}
    return Config(optimizer=name, schedule="constant", learning_rate=0.125, **fields)


def test_sgd_steps_against_the_gradient():
    assert updates(constant("sgd")) == [(-0.0625, 0.125), (-0.03125, -0.125)]


def test_momentum_adds_the_decayed_velocity():
    assert updates(constant("momentum", momentum=0.5)) == [(-0.0625, 0.125), (-0.0625, -0.0625)]


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adams_first_step_is_the_learning_rate_whatever_the_gradient(name):
    of_second_moment = 2.0**-24 / (1 - 0.999)  # what rounding 0.999 to float32 does to 1 − 0.999
    first = updates(constant(name))[0]
    np.testing.assert_allclose(first, (-0.125, 0.125), rtol=of_second_moment)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw"])
def test_weight_decay_takes_rate_times_decay_times_weight_and_leaves_biases(name):
    plain, decayed = updates(constant(name)), updates(constant(name, weight_decay=0.25))
    for (weight, bias), (decayed_weight, decayed_bias) in zip(plain, decayed, strict=True):
        assert decayed_weight == pytest.approx(weight - 0.125 * 0.25 * 2.0, rel=1e-6)
        assert decayed_bias == bias


def rates(**fields):
    """The learning rate at each step of two epochs of ten steps."""
    rate = schedule(Config(epochs=2, learning_rate=1.0, **fields), steps_per_epoch=10)
    with jax.numpy_dtype_promotion("standard"):
        return np.array([np.asarray(rate(step)) for step in range(20)])


def test_constant_is_constant():
    assert rates(schedule="constant").tolist() == [1.0] * 20


def test_cosine_falls_by_half_a_cosine():
    expected = (1 + np.cos(np.pi * np.arange(20) / 20)) / 2
    np.testing.assert_allclose(rates(schedule="cosine"), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["constant", "cosine"])
def test_warm_up_rises_from_0_to_the_peak(name):
    warmed = rates(schedule=name, warmup_epochs=0.5)
    np.testing.assert_allclose(warmed[:6], [0, 0.2, 0.4, 0.6, 0.8, 1.0], atol=1e-6)
    assert np.all(np.diff(warmed[5:]) <= 0)
