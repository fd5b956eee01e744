"""The losses, the targets, and the network's inputs."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import Architecture, targets
from mnist_jax.model import LOSSES, network_inputs

PLAIN = Architecture(layer_sizes=(2, 4), biases=(), label_smoothing=0.0)
SMOOTHED = Architecture(layer_sizes=(2, 4), biases=(), label_smoothing=0.2)


def test_squared_error_is_a_sum_over_outputs_without_a_half():
    a, y = jnp.array([[1.0, 2.0], [0.0, 0.0]]), jnp.array([[0.0, 4.0], [0.0, 1.0]])
    assert LOSSES["squared_error"](a, y).tolist() == [1 + 4, 1]


def test_cross_entropy_of_equal_outputs_is_the_natural_log_of_their_number():
    a, y = jnp.full((1, 8), 3.0), jnp.eye(8)[2:3]
    assert LOSSES["cross_entropy"](a, y).item() == pytest.approx(np.log(8), rel=1e-6)


def test_cross_entropy_is_finite_for_outputs_far_apart():
    a, y = jnp.array([[1e4, -1e4]]), jnp.array([[0.0, 1.0]])
    assert LOSSES["cross_entropy"](a, y).item() == 2e4


def test_targets_are_one_hot():
    labels = jnp.array([2, 0], jnp.uint8)
    assert targets(PLAIN, labels, "float32").tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]


def test_smoothed_targets_are_1_minus_ε_times_y_plus_ε_over_the_classes():
    smoothed = targets(SMOOTHED, jnp.array([1], jnp.uint8), "float32")
    np.testing.assert_allclose(smoothed, [[0.05, 0.85, 0.05, 0.05]], rtol=2 * 2**-24)


def test_images_become_rows_of_pixels_from_0_to_1():
    images = jnp.array([[[0, 255], [51, 102]]], jnp.uint8)
    one_rounding_more = 2.0**-23  # XLA multiplies by 1/255, so there is one more rounding error
    np.testing.assert_allclose(
        network_inputs(images, "float32"), [[0, 1, 0.2, 0.4]], rtol=one_rounding_more
    )
