"""The switch: whatever computes the gradient keeps one contract."""

import jax
import jax.numpy as jnp
import pytest

from manual_grads.architecture import Architecture
from mnist_jax import gradients, network
from mnist_jax.config import Config
from mnist_jax.gradients import GRADIENTS

CONFIGS = [
    Config(gradient=gradient, architecture=Architecture(layer_sizes=(784, 5, 10), biases=biases))
    for gradient in GRADIENTS
    for biases in [("input", "hidden", "output"), ()]
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.gradient} {c.architecture.biases}")
def test_loss_is_a_scalar_and_the_gradient_has_the_form_of_the_parameters(config, key):
    params = network.init(key, config.architecture)
    images, targets = jax.random.uniform(key, (7, 784)), jnp.eye(10)[:7]
    loss, gradient = gradients.value_and_grad(config)(params, images, targets)
    assert loss.shape == ()
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), gradient) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), params
    )


def test_every_gradient_that_the_flag_names_is_in_the_switch():
    from manual_grads.options import options_of

    (option,) = [option for option in options_of(Config) if option.name == "gradient"]
    assert option.rule.choices == tuple(GRADIENTS)
