"""Tests that the comparison finds every injected mistake and names its leaf."""

from functools import partial

import jax
import numpy as np
import pytest

from manual_grads import Architecture
from manual_grads.derivatives import activations, network
from manual_grads.derivatives.activations import Activation
from manual_grads.derivatives.agreement import compare
from manual_grads.derivatives.rounding_bound import gradient_bound
from mnist_jax.model import mean_loss as loss
from tests.manual_grads.derivatives.cases import draw, named

NETWORK = Architecture(
    layer_sizes=(5, 6, 4),
    activation="tanh",
    input_layer="active",
    biases=("input", "hidden", "output"),
    loss="squared_error",
    label_smoothing=0.0,
)
BATCH = 7


def disagreeing(inject=lambda gradient: gradient):
    """The leaves that disagree in float64 after `inject` has changed the handwritten gradient."""
    with jax.enable_x64(True):
        point = draw(NETWORK, BATCH, np.random.default_rng(0))
        point = jax.tree.map(lambda leaf: jax.numpy.asarray(leaf, "float64"), point)
        _, handwritten = network.value_and_grad(NETWORK, *point)
        reference = jax.grad(partial(loss, NETWORK))(*point)
        bound = gradient_bound(NETWORK, *point, precision="float64")
        found = compare(inject(handwritten), reference, bound)
        return {leaf for leaf, share in named(found.of_bound).items() if not share <= 1}


def changed(layer, name, change):
    """A function that injects `change` into one leaf of a gradient."""

    def inject(gradient):
        gradient = [dict(leaves) for leaves in gradient]
        gradient[layer][name] = change(gradient[layer][name])
        return gradient

    return inject


def leaked(gradient):
    """Adds the output's bias derivatives to the last hidden unit's, and sets their own to 0."""
    slot = gradient[1]["bias"].at[-1].add(gradient[2]["bias"].sum())
    gradient = changed(1, "bias", lambda _: slot)(gradient)
    return changed(2, "bias", lambda leaf: 0 * leaf)(gradient)


INJECTED = {
    "a twentieth of a percent in one weight": (
        changed(1, "weight", lambda leaf: leaf.at[2, 3].multiply(1.0005)),
        {"1/weight"},
    ),
    "a twentieth of a percent in one bias": (
        changed(2, "bias", lambda leaf: leaf.at[1].multiply(1.0005)),
        {"2/bias"},
    ),
    "a flipped sign": (changed(2, "weight", lambda leaf: -leaf), {"2/weight"}),
    "a missing 1/batch": (
        lambda gradient: jax.tree.map(lambda leaf: BATCH * leaf, gradient),
        {"0/bias", "1/bias", "1/weight", "2/bias", "2/weight"},
    ),
    "the output's bias in the last hidden unit's slot": (leaked, {"1/bias", "2/bias"}),
    "a value that is not finite": (
        changed(0, "bias", lambda leaf: leaf.at[0].set(np.nan)),
        {"0/bias"},
    ),
}


def test_what_is_right_agrees():
    assert disagreeing() == set()


@pytest.mark.parametrize(("inject", "leaves"), INJECTED.values(), ids=INJECTED.keys())
def test_an_injected_mistake_is_found_in_its_leaves(inject, leaves):
    assert disagreeing(inject) == leaves


def test_a_slope_taken_at_a_is_named_in_every_layer_that_has_one(monkeypatch):
    f, slope = activations.ACTIVATION_RULES["tanh"]
    at_a = Activation(f, lambda z, a, s: slope(a, f(a, s), s))
    monkeypatch.setitem(network.ACTIVATION_RULES, "tanh", at_a)
    assert disagreeing() == {"0/bias", "1/bias", "1/weight", "2/bias", "2/weight"}


def test_the_worst_entry_is_given_with_both_values():
    with jax.enable_x64(True):
        reference = {"w": jax.numpy.array([[1.0, 2.0], [3.0, 4.0]])}
        handwritten = {"w": jax.numpy.array([[1.0, 2.5], [3.0, 4.125]])}
        found = compare(handwritten, reference, {"w": jax.numpy.full((2, 2), 0.125)})
        assert (found.largest["w"], found.of_bound["w"], found.entry["w"]) == (0.5, 2.0, 1)
        assert (found.handwritten["w"], found.reference["w"]) == (2.5, 2.0)
