"""Tests that every place that needs the activations defines all of them, and equally."""

from math import erfc
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.mistakes import gradient as written_in_numpy
from manual_grads import ACTIVATION_NAMES
from manual_grads.check import formulas
from manual_grads.derivatives import activations, rounding_bound
from mnist_jax.model import ACTIVATIONS
from tests.manual_grads.derivatives import scalar_bound
from tests.mnist_jax.model import test_network

PLACES = {
    "the network": ACTIVATIONS,
    "its formula in plain Python": test_network.FORMULAS,
    "its slope by hand": activations.ACTIVATION_RULES,
    "its rounding errors": rounding_bound.ERRORS,
    "its rounding errors, number by number": scalar_bound.FUNCTIONS,
    "itself and its slope in the check": formulas.FUNCTIONS,
    "its slope in the injected mistakes": written_in_numpy.F,
}


@pytest.mark.parametrize("place", PLACES)
def test_every_activation_is_in_every_place(place):
    assert set(PLACES[place]) == set(ACTIVATION_NAMES)


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_every_place_has_the_same_function_and_slope(name):
    """The values include 0; float32 represents all of them exactly."""
    z = np.linspace(-4, 4, 33)
    with jax.enable_x64(True):
        f = lambda z: ACTIVATIONS[name](z, 0.1)  # noqa: E731 - autodiff differentiates this one
        a, slope = jax.jvp(f, [jnp.asarray(z)], [jnp.ones(33, "float64")])
        rules = activations.ACTIVATION_RULES[name]
        by_hand = rules.f(jnp.asarray(z), 0.1), rules.slope(jnp.asarray(z), a, 0.1)
    in_check = [of(z, 0.1) for of in formulas.FUNCTIONS[name]]
    in_numpy = [of(z) for of in written_in_numpy.F[name]]
    for found in (by_hand[0], in_check[0], in_numpy[0]):
        np.testing.assert_allclose(found, a, rtol=1e-12, atol=1e-15)
    for found in (by_hand[1], in_check[1], in_numpy[1]):
        np.testing.assert_allclose(found, slope, rtol=1e-12, atol=1e-15)


def test_gelu_is_z_times_the_normal_distribution():
    """GELU must be accurate for large negative z too, where 1 + erf(z/√2) is 0 in float32."""
    z: Any = np.array([-6.0, -3.0, -1.0, 0.0, 0.5, 2.0, 10.0], "float32")
    expected = [value * erfc(-value / 2**0.5) / 2 for value in z.tolist()]
    np.testing.assert_allclose(ACTIVATIONS["gelu"](jnp.asarray(z), 0.1), expected, rtol=1e-5)
