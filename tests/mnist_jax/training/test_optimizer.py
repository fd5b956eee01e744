"""The optimisers and the learning rate, compared with their formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_jax.config import Config
from mnist_jax.training.optimizer import learning_rates, optimizer

PARAMS = [{}, {"weight": jnp.array([[2.0]]), "bias": jnp.array([4.0])}]
GRADIENTS = [
    [{}, {"weight": jnp.array([[0.5]]), "bias": jnp.array([-1.0])}],
    [{}, {"weight": jnp.array([[0.25]]), "bias": jnp.array([1.0])}],
]


def updates(config):
    """The updates for two consecutive gradients, each as (weight, bias)."""
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
    of_second_moment = 2.0**-24 / (1 - 0.999)  # effect on 1 − 0.999 of rounding 0.999
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
    return np.asarray(
        learning_rates(Config(epochs=2, learning_rate=1.0, **fields), 10, jnp.arange(20))
    )


def test_constant_is_constant():
    assert rates(schedule="constant").tolist() == [1.0] * 20


def test_cosine_falls_by_half_a_cosine():
    expected = (1 + np.cos(np.pi * np.arange(20) / 20)) / 2
    np.testing.assert_allclose(rates(schedule="cosine"), expected, atol=1e-6)


def test_linear_falls_in_a_straight_line():
    np.testing.assert_allclose(rates(schedule="linear"), 1 - np.arange(20) / 20, atol=1e-6)


AFTER_WARM_UP = {
    "constant": np.ones(15),
    "cosine": (1 + np.cos(np.pi * np.arange(15) / 15)) / 2,
    "linear": 1 - np.arange(15) / 15,
}


@pytest.mark.parametrize("name", AFTER_WARM_UP)
def test_warm_up_rises_to_the_peak_and_leaves_the_rest_to_the_schedule(name):
    """The warm-up has 5 of the 20 steps and does not begin at 0; the schedule has the other 15."""
    expected = np.concatenate([np.arange(1, 6) / 6, AFTER_WARM_UP[name]])
    np.testing.assert_allclose(rates(schedule=name, warmup_epochs=0.5), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize(("b1", "b2"), [(0.9, 0.999), (0.75, 0.95)])
def test_adams_second_step_is_that_of_its_formula(name, b1, b2):
    """It is m̂ / √v̂, for the gradients 0.5, 0.25 and −1, 1."""
    second = updates(constant(name, b1=b1, b2=b2))[1]
    for step, (g1, g2) in zip(second, [(0.5, 0.25), (-1.0, 1.0)], strict=True):
        m = (b1 * (1 - b1) * g1 + (1 - b1) * g2) / (1 - b1**2)
        v = (b2 * (1 - b2) * g1**2 + (1 - b2) * g2**2) / (1 - b2**2)
        assert step == pytest.approx(-0.125 * m / v**0.5, rel=2.0**-24 / (1 - b2))
