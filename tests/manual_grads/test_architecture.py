"""Tests of `Architecture`: valid networks, and invalid ones that raise."""

import pytest

from manual_grads import Architecture
from manual_grads.cli import OptionError


def test_depth_counts_the_weight_layers():
    assert Architecture(layer_sizes=(784, 35, 35, 10)).depth == 3


def test_biases_name_layers_by_their_role():
    network = Architecture(layer_sizes=(4, 3, 3, 2), biases=("input", "hidden"))
    assert [network.has_bias(layer) for layer in range(4)] == [True, True, True, False]


def test_the_default_negative_slope_is_that_of_the_document():
    assert Architecture().negative_slope == 0.1


def test_no_bias_at_all_is_a_network():
    assert not any(map(Architecture(biases=()).has_bias, range(3)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layer_sizes": (784,)}, "at least an input and an output layer"),
        ({"layer_sizes": (784, 0, 10)}, "each with at least 1 unit"),
        ({"activation": "selu"}, "--activation must be one of sigmoid, tanh, relu, leaky_relu"),
        ({"input_layer": "loud"}, "--input_layer must be one of plain, active"),
        ({"biases": ("inner",)}, "--biases must be none, or any of"),
        ({"biases": ("input", "input")}, "each at most once"),
        (
            {"layer_sizes": (784, 10), "biases": ("hidden",)},
            "must name layers that the network has",
        ),
        ({"loss": "hinge"}, "--loss must be one of cross_entropy, squared_error"),
        ({"loss": "squared_error"}, "--label_smoothing must be 0 with --loss=squared_error"),
        ({"label_smoothing": 1.0}, "--label_smoothing must be at least 0 and below 1"),
        ({"negative_slope": float("nan")}, "--negative_slope must be finite"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_an_invalid_architecture_raises_an_error(fields, message):
    with pytest.raises(OptionError, match=message):
        Architecture(**fields)
