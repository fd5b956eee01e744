"""Tests of the costs against their definitions; their derivatives are tested in other files."""

import math

import jax.numpy as jnp
import pytest

from manual_grads.derivatives.loss import LOSS_RULES

OUTPUTS = [[0.5, -1.0], [-0.25, 2.0], [1.0, 0.75]]
TARGETS = [[0.1, 0.0], [0.2, 0.9], [0.7, 0.1]]


def cross_entropy(a, y):
    """C = −Σ_k y_k log p_k, with p = softmax(a)."""
    total = sum(math.exp(each) for each in a)
    return -sum(each * math.log(math.exp(of) / total) for each, of in zip(y, a, strict=True))


def squared_error(a, y):
    """C = Σ_k (y_k − a_k)²."""
    return sum((each - of) ** 2 for each, of in zip(y, a, strict=True))


@pytest.mark.parametrize("defined", [cross_entropy, squared_error])
def test_a_cost_is_its_sum_over_the_outputs_of_each_example(defined):
    cost = LOSS_RULES[defined.__name__].cost(jnp.array(OUTPUTS), jnp.array(TARGETS))
    columns = zip(zip(*OUTPUTS, strict=True), zip(*TARGETS, strict=True), strict=True)
    assert cost.tolist() == pytest.approx([defined(a, y) for a, y in columns], rel=1e-6)
