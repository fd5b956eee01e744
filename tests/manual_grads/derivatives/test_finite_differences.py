"""Compares the handwritten gradient with finite differences of the cost, in float64."""

from functools import partial
from itertools import product

import jax
import jax.flatten_util
import numpy as np
import pytest

from manual_grads import ACTIVATION_NAMES, LOSS_NAMES, Architecture
from manual_grads.derivatives.network import value_and_grad
from mnist_jax.model import mean_loss as loss
from tests.manual_grads.derivatives.cases import draw, named

STEP = 2.0**-13


@pytest.mark.parametrize(
    ("activation", "cost"), list(product(ACTIVATION_NAMES, LOSS_NAMES)), ids=lambda name: name
)
def test_every_entry_is_the_central_difference_of_the_cost(activation, cost):
    """The tolerance is |D(h) − D(h/2)|, plus the cost's rounding error (below 2⁻⁴⁴) over h/2.

    The error of D(h) is c·h² + …, so the error of D(h/2) is about a third of D(h) − D(h/2). No unit
    is within 16 h of its kink, so no step crosses a kink.
    """
    network = Architecture(
        layer_sizes=(4, 3, 3, 2),
        activation=activation,
        loss=cost,
        input_layer="active",
        biases=("input", "hidden", "output"),
        label_smoothing=0.1 if cost == "cross_entropy" else 0.0,
    )
    with jax.enable_x64(True):
        point = jax.tree.map(
            lambda leaf: jax.numpy.asarray(leaf, "float64"),
            draw(network, 3, np.random.default_rng(0)),
        )
        _, *batch = point
        flat, unravel = jax.flatten_util.ravel_pytree(point.params)
        cost_at = jax.jit(jax.vmap(lambda v: loss(network, unravel(v), *batch)))

        def difference(h):
            steps = h * np.eye(flat.size)
            return (cost_at(flat + steps) - cost_at(flat - steps)) / (2 * h)

        coarse, fine = np.asarray(difference(STEP)), np.asarray(difference(STEP / 2))
        _, gradient = jax.jit(partial(value_and_grad, network))(*point)
        handwritten = np.asarray(jax.flatten_util.ravel_pytree(gradient)[0])
    tolerance = np.abs(coarse - fine) + 2.0**-44 / (STEP / 2)
    assert np.all(np.abs(handwritten - fine) <= tolerance)
    assert tolerance.max() < 1e-5 < np.abs(handwritten).max()
    assert len(named(gradient)) == 7
