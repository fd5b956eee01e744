"""Tests of the rectifiers' slopes at exactly 0, where finite differences have no answer."""

import jax
import jax.numpy as jnp
import pytest

from manual_grads.derivatives.activations import ACTIVATION_RULES


@pytest.mark.parametrize(("name", "below"), [("relu", 0.0), ("leaky_relu", 0.25)])
def test_the_rectifiers_have_at_exactly_0_their_slope_below_0(name, below):
    f, slope = ACTIVATION_RULES[name]
    z = jnp.array([-2.0, 0.0, 2.0])
    a, derivative = jax.jvp(lambda z: f(z, 0.25), [z], [jnp.ones_like(z)])
    assert a.tolist() == [-2 * below, 0.0, 2.0]
    assert derivative.tolist() == [below, below, 1.0]
    assert slope(z, a, 0.25).tolist() == [below, below, 1.0]
    assert slope(z, a, 0.25).dtype == z.dtype
