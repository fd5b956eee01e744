"""Tests of invalid arguments of the handwritten gradient, each of which raises `InputsError`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads
from manual_grads import Architecture, InputsError
from tests.manual_grads.derivatives.cases import draw

ARCHITECTURE = Architecture(layer_sizes=(4, 3, 2), biases=("hidden",))
POINT = jax.tree.map(jnp.asarray, draw(ARCHITECTURE, 5, np.random.default_rng(0)))


def with_leaf(layer, name, value):
    params = [dict(leaves) for leaves in POINT.params]
    params[layer][name] = value
    return POINT._replace(params=params)


BAD = {
    "images of another width": (
        POINT._replace(images=jnp.ones((5, 3))),
        r"images must have .*\[batch, 4\]",
    ),
    "pixels": (POINT._replace(images=jnp.ones((5, 4), "uint8")), "images must be an array of flo"),
    "integer targets": (POINT._replace(targets=jnp.ones((5, 2), int)), "targets must be an array"),
    "one image": (POINT._replace(images=jnp.ones(4)), "images must have the shape"),
    "no examples": (
        POINT._replace(images=jnp.ones((0, 4)), targets=jnp.ones((0, 2))),
        "the same batch size, at least 1",
    ),
    "targets of another width": (
        POINT._replace(targets=jnp.ones((5, 3))),
        r"targets must have .*\[batch, 2\]",
    ),
    "targets of another batch": (POINT._replace(targets=jnp.ones((4, 2))), "the same batch size"),
    "labels": (POINT._replace(targets=jnp.ones(5)), "targets must have the shape"),
    "a transposed weight": (with_leaf(1, "weight", jnp.ones((4, 3))), "leaves and shapes"),
    "a bias that is off": (with_leaf(2, "bias", jnp.ones(2)), "leaves and shapes"),
    "a layer too few": (POINT._replace(params=POINT.params[:2]), "leaves and shapes"),
    "a parameter that is NaN": (
        with_leaf(1, "bias", jnp.array([0.0, jnp.nan, 0.0])),
        r"params must be finite\n  got:      1/bias\[1\] = nan",
    ),
    "an infinite parameter": (
        with_leaf(1, "weight", jnp.full((3, 4), -jnp.inf)),
        r"1/weight\[0, 0\] = -inf",
    ),
}


@pytest.mark.parametrize(("point", "message"), BAD.values(), ids=BAD.keys())
def test_invalid_arguments_raise_an_error_in_three_parts(point, message):
    with pytest.raises(InputsError, match=message) as refusal:
        manual_grads.value_and_grad(ARCHITECTURE, *point[:3])
    labels = [line.split(":")[0].strip() for line in str(refusal.value).splitlines()[1:]]
    assert labels == ["expected", "got", "try"]


def test_valid_arguments_give_a_loss_and_a_gradient():
    loss, gradient = manual_grads.value_and_grad(ARCHITECTURE, *POINT[:3])
    assert loss > 0
    assert jax.tree.map(jnp.shape, gradient) == jax.tree.map(jnp.shape, POINT.params)
