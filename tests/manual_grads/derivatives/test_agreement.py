"""Tests that the handwritten gradient and autodiff's agree, for every leaf and architecture."""

from itertools import product

import numpy as np
import pytest
from allpairspy import AllPairs

from manual_grads import ACTIVATION_NAMES, INPUT_LAYERS, LOSS_NAMES, Architecture
from tests.compiling import AS_TRAINED
from tests.manual_grads.derivatives.cases import (
    BIAS_SUBSETS,
    FACTORS,
    assert_agreement,
    assert_close_to_the_leafs_largest,
    draw,
    measure,
)

SIZES = (5, 6, 5, 6, 5, 6)
"""The layer sizes; an architecture of depth L uses the last L + 1 of them.

Each operation is compiled for every shape that occurs; two sizes make few shapes.
"""


def architecture(activation, loss, input_layer, biases, depth=2):
    return Architecture(
        layer_sizes=SIZES[-depth - 1 :],
        activation=activation,
        loss=loss,
        input_layer=input_layer,
        biases=tuple(name for name in biases if name != "hidden" or depth > 1),
        label_smoothing=0.1 if loss == "cross_entropy" else 0.0,
    )


@pytest.mark.parametrize("biases", BIAS_SUBSETS, ids=lambda names: "+".join(names) or "none")
@pytest.mark.parametrize("input_layer", INPUT_LAYERS)
@pytest.mark.parametrize("loss", LOSS_NAMES)
@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_both_agree_for_every_architecture_of_depth_2(activation, loss, input_layer, biases):
    network = architecture(activation, loss, input_layer, biases)
    measured = measure(network, draw(network, 7, np.random.default_rng(0)))
    assert_agreement(measured)
    assert_close_to_the_leafs_largest(measured)


CHOICES = [
    range(1, 6), (1, 7), ACTIVATION_NAMES, LOSS_NAMES, INPUT_LAYERS, BIAS_SUBSETS, FACTORS
]  # fmt: skip
PAIRS = list(AllPairs(CHOICES))


@pytest.mark.parametrize(
    ("depth", "batch", "activation", "loss", "input_layer", "biases", "factors"),
    PAIRS,
    ids=[
        "-".join(map(str, (*pair[:5], "+".join(pair[5]) or "none", pair[6] or "float32")))
        for pair in PAIRS
    ],
)
def test_both_agree_at_every_depth_and_batch(
    depth, batch, activation, loss, input_layer, biases, factors
):
    network = architecture(activation, loss, input_layer, biases, depth)
    point = draw(network, batch, np.random.default_rng(1))
    measured = measure(network, point, factors=factors)
    assert_agreement(measured)
    assert_close_to_the_leafs_largest(measured)


def test_every_pair_of_choices_is_among_those_tried():
    for first, second in product(range(len(CHOICES)), repeat=2):
        if first < second:
            tried = {(pair[first], pair[second]) for pair in PAIRS}
            assert tried == set(product(CHOICES[first], CHOICES[second]))


TRAINED = {
    "base": (Architecture(), 256),
    "document": (
        Architecture(
            layer_sizes=(784, 35, 35, 10),
            activation="leaky_relu",
            input_layer="active",
            biases=("input", "hidden", "output"),
            loss="squared_error",
            label_smoothing=0.0,
        ),
        32,
    ),
}


@pytest.mark.parametrize(
    ("name", "factors"), [("base", None), ("base", "bfloat16"), ("document", None)]
)
def test_both_agree_at_the_sizes_really_trained(name, factors):
    """Four fifths of the pixels are exactly 0, as in MNIST."""
    network, batch = TRAINED[name]
    point = draw(network, batch, np.random.default_rng(2), zeros=0.8)
    measured = measure(network, point, AS_TRAINED, factors)
    assert_agreement(measured)
    assert_close_to_the_leafs_largest(measured)
