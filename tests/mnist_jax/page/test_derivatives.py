"""The derivatives that the page shows: by hand and by autodiff, for every kind of network."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import named_leaves, targets
from manual_grads.derivatives import gradient_bound
from mnist_jax.model import mean_loss
from mnist_jax.page import derivatives
from tests.mnist_jax.page.conftest import network_of

PIXELS = np.random.default_rng(0).random(784, np.float32)
SQUARED = {"loss": "squared_error", "label_smoothing": 0.0}
KINDS = {
    "base": {},
    "document": {
        "layer_sizes": (784, 9, 9, 10), "activation": "leaky_relu", "input_layer": "active",
        "biases": (), **SQUARED,
    },
    "input bias": {
        "layer_sizes": (784, 10), "activation": "leaky_relu", "biases": ("input", "output"),
        **SQUARED,
    },
}  # fmt: skip


def compute(network, label):
    largest = np.full(len(network.params), -1, np.int32)
    return network.compute(PIXELS, np.int32(label), largest)


def bounds(network, y):
    bound = partial(gradient_bound, network.architecture, precision="float32")
    return named_leaves(jax.jit(bound)(network.params, jnp.asarray(PIXELS[None]), y[None]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_derivative_by_hand_is_autodiffs_within_the_rounding_bound(kind):
    network = network_of(**KINDS[kind])
    for label in (-1, 3):
        found = compute(network, label)
        assert set(named_leaves(found.handwritten)) == set(named_leaves(network.params))
        assert max(map(float, jax.tree.leaves(found.of_bound))) <= 1
        allowed = bounds(network, found.y)
        for leaf, difference in named_leaves(found.difference).items():
            largest = 2 * float(np.max(allowed[leaf]))
            assert difference <= named_leaves(found.of_bound)[leaf] * largest * (1 + 1e-5)
        assert max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(found.autodiff)) > 0


@pytest.mark.parametrize("kind", ["base", "input bias"])
def test_the_input_layer_bias_derivative_is_the_derivative_by_the_pixels(kind):
    """z⁰ = x + b⁰, so both change z⁰ alike, whether the network has b⁰ or it is added."""
    network = network_of(**KINDS[kind])
    found = compute(network, 3)
    y = targets(network.architecture, jnp.array([3]), "float32")
    cost = partial(mean_loss, network.architecture)
    by_pixel = jax.jit(jax.grad(cost, argnums=1))(network.params, PIXELS[None], y)[0]
    np.testing.assert_allclose(found.handwritten[0]["bias"], by_pixel, rtol=1e-4, atol=1e-6)


def test_an_added_bias_changes_no_output_and_no_step_moves_it():
    network = network_of(**KINDS["document"])
    moved = derivatives.step(
        network.architecture, network.params, network.own, PIXELS, np.int32(3), np.float32(0.01)
    )
    for layer, leaves in enumerate(moved):
        assert not np.any(leaves["bias"])
        if layer > 0:
            assert np.any(leaves["weight"] != network.params[layer]["weight"])


def test_a_small_step_changes_the_cost_by_the_squared_length_of_the_gradient(network):
    """C(θ − η g) = C − η |g|² + O(η²), with g = ∂C/∂θ of the network's own parameters."""
    rate, label = 1e-3, np.int32(3)
    y = targets(network.architecture, jnp.array([label]), "float32")
    slope = jax.jit(jax.grad(partial(mean_loss, network.architecture)))
    gradient = slope(network.params, PIXELS[None], y)
    moved = derivatives.step(
        network.architecture, network.params, network.own, PIXELS, label, np.float32(rate)
    )
    lower, _ = derivatives.evaluate(network.architecture, moved, PIXELS, label)
    own = jax.tree.map(lambda g, mask: float(mask * (g**2).sum()), gradient, network.own)
    expected = rate * sum(jax.tree.leaves(own))
    assert float(compute(network, label).cost - lower) == pytest.approx(expected, rel=0.1)
