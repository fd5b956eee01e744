"""Compares the document's derivatives with complex-step ones and with the general network's."""

import jax
import numpy as np
import pytest

from manual_grads import Architecture
from manual_grads.derivatives import document
from manual_grads.derivatives.document import Network
from manual_grads.derivatives.network import value_and_grad

# Each side rounds fewer than 128 numbers below 8, and multiplies each error by less than 16.
TOLERANCE = 2 * 128 * 8 * 16 * 2.0**-53

DERIVATIVES = {
    "w2": document.hidden_layer_to_output_layer_weight_derivatives,
    "w1": document.input_layer_to_hidden_layer_weight_derivatives,
    "b2": document.output_layer_bias_derivatives,
    "b1": document.hidden_layer_bias_derivatives,
    "b0": document.input_layer_bias_derivatives,
}


def network(activation, seed):
    random = np.random.default_rng(seed)
    shapes = [(), (5,), (5,), (5,), ()]
    leaves = [np.asarray(random.uniform(-1, 1, shape)) for shape in shapes]
    b0, w1, b1, w2, b2 = leaves
    return Network(b0, w1, b1, w2, b2, document.ACTIVATIONS[activation])


def complex_step(net, leaf, x, y):
    """∂C/∂leaf as Im C(θ + i h) / h for each entry θ; unlike a difference, nothing cancels."""
    h, value = 1e-30, getattr(net, leaf)
    derivative = np.zeros(value.shape)
    for index in np.ndindex(value.shape):
        stepped = value.astype(complex)
        stepped[index] += 1j * h
        derivative[index] = np.imag(document.cost(net._replace(**{leaf: stepped}), x, y)) / h
    return derivative


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("activation", document.ACTIVATIONS)
@pytest.mark.parametrize("leaf", DERIVATIVES)
def test_each_derivative_is_the_complex_step_of_the_cost(leaf, activation, seed):
    net = network(activation, seed)
    x, y = np.asarray(0.75), np.asarray(-0.5)
    derivative = DERIVATIVES[leaf](net, x, y)
    assert derivative.shape == getattr(net, leaf).shape
    assert np.abs(derivative - complex_step(net, leaf, x, y)).max() < TOLERANCE
    assert np.abs(derivative).max() > 1e-4  # so both are not simply 0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("activation", document.ACTIVATIONS)
def test_the_general_form_at_1_n_1_is_the_mean_of_the_documents(activation, seed):
    net = network(activation, seed)
    random = np.random.default_rng(seed + 100)
    xs, ys = random.uniform(-1, 1, (2, 7))
    architecture = Architecture(
        layer_sizes=(1, 5, 1),
        activation=activation,
        input_layer="active",
        biases=("input", "hidden", "output"),
        loss="squared_error",
        label_smoothing=0.0,
    )
    with jax.enable_x64(True):
        arrays = jax.tree.map(
            jax.numpy.asarray,
            [
                {"bias": net.b0[None]},
                {"weight": net.w1[:, None], "bias": net.b1},
                {"weight": net.w2[None, :], "bias": net.b2[None]},
            ],
        )
        images, targets = jax.numpy.asarray(xs[:, None]), jax.numpy.asarray(ys[:, None])
        loss, gradient = value_and_grad(architecture, arrays, images, targets)
    examples = [(np.asarray(x), np.asarray(y)) for x, y in zip(xs, ys, strict=True)]
    means = {
        leaf: np.mean([rule(net, x, y) for x, y in examples], axis=0)
        for leaf, rule in DERIVATIVES.items()
    }
    assert abs(float(loss) - np.mean([document.cost(net, x, y) for x, y in examples])) < TOLERANCE
    for leaf, values in {
        "b0": gradient[0]["bias"],
        "w1": gradient[1]["weight"],
        "b1": gradient[1]["bias"],
        "w2": gradient[2]["weight"],
        "b2": gradient[2]["bias"],
    }.items():
        difference = np.asarray(values).ravel() - means[leaf].ravel()
        assert np.abs(difference).max() < TOLERANCE, leaf


def test_leaky_relu_has_the_slope_below_0_at_exactly_0():
    f, slope = document.ACTIVATIONS["leaky_relu"]
    z = np.array([-2.0, 0.0, 2.0])
    assert slope(z).tolist() == [0.1, 0.1, 1.0]
    assert f(z).tolist() == [-0.2, 0.0, 2.0]
    assert np.imag(f(z + 1e-30j) / 1e-30).tolist() == pytest.approx([0.1, 0.1, 1.0])
