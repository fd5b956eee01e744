"""The five derivatives that the document derives, for its network `1-n-1`.

"The document" is the text whose network this project reimplements. The network has one input, `n`
hidden units and one output. Like the document, the code handles one example and writes out each
index. `w1[j]` is the weight from the input to hidden unit `j`, and `w2[j]` the weight from hidden
unit `j` to the output:

    z⁰ = x + b⁰                 a⁰ = f(z⁰)
    z¹_j = w¹_j a⁰ + b¹_j       a¹_j = f(z¹_j)
    z² = Σ_j w²_j a¹_j + b²     a² = f(z²)        C = (y − a²)²

All five derivatives contain the derivative of C with respect to z²,

    g = −2 (y − a²) f'(z²)
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Inexact

Scalar = Inexact[np.ndarray, ""]
Hidden = Inexact[np.ndarray, " n"]
Values = Inexact[np.ndarray, "*any"]

LEAKY_SLOPE = 0.1


class Activation(NamedTuple):
    """`f` and its slope `f'`, as functions of `z`."""

    f: Callable[[Values], Values]
    slope: Callable[[Values], Values]


def sigmoid(z: Values) -> Values:
    """σ(z) = 1 / (1 + e^−z)."""
    return np.asarray(1 / (1 + np.exp(-z)))


# leaky_relu compares z.real, so that the complex-step method can differentiate it.
ACTIVATIONS = {
    "sigmoid": Activation(sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "leaky_relu": Activation(
        lambda z: np.where(z.real > 0, z, LEAKY_SLOPE * z),
        lambda z: np.where(z.real > 0, 1.0, LEAKY_SLOPE),
    ),
}


class Network(NamedTuple):
    """The biases and weights of the document's network, and its activation."""

    b0: Scalar
    w1: Hidden
    b1: Hidden
    w2: Hidden
    b2: Scalar
    activation: Activation


class Forward(NamedTuple):
    """The value of every unit before (z) and after (a) its activation."""

    z0: Scalar
    a0: Scalar
    z1: Hidden
    a1: Hidden
    z2: Scalar
    a2: Scalar


def forward(network: Network, x: Scalar) -> Forward:
    """The values of all units for the input `x`."""
    b0, w1, b1, w2, b2, (f, _) = network
    z0 = np.asarray(x + b0)
    a0 = f(z0)
    z1 = np.array([w1[j] * a0 + b1[j] for j in range(len(w1))])
    a1 = f(z1)
    z2 = np.asarray(sum(w2[j] * a1[j] for j in range(len(w2))) + b2)
    return Forward(z0, a0, z1, a1, z2, f(z2))


def cost(network: Network, x: Scalar, y: Scalar) -> Scalar:
    """The cost C = (y − a²)²."""
    return np.asarray((y - forward(network, x).a2) ** 2)


def output_derivative(network: Network, x: Scalar, y: Scalar) -> Scalar:
    """`g = −2 (y − a²) f'(z²)`, the derivative of C with respect to z²."""
    units = forward(network, x)
    return np.asarray(-2 * (y - units.a2) * network.activation.slope(units.z2))


def hidden_layer_to_output_layer_weight_derivatives(
    network: Network, x: Scalar, y: Scalar
) -> Hidden:
    """Hidden Layer → Output Layer weight derivatives: `∂C/∂w²_j = g · a¹_j`."""
    g, units = output_derivative(network, x, y), forward(network, x)
    return np.array([g * units.a1[j] for j in range(len(units.a1))])


def input_layer_to_hidden_layer_weight_derivatives(
    network: Network, x: Scalar, y: Scalar
) -> Hidden:
    """Input Layer → Hidden Layer weight derivatives: `∂C/∂w¹_j = g · w²_j · f'(z¹_j) · a⁰`."""
    g, units = output_derivative(network, x, y), forward(network, x)
    slope = network.activation.slope
    return np.array(
        [g * network.w2[j] * slope(units.z1[j, ...]) * units.a0 for j in range(len(units.z1))]
    )


def output_layer_bias_derivatives(network: Network, x: Scalar, y: Scalar) -> Scalar:
    """Output Layer bias derivatives: `∂C/∂b² = g`."""
    return output_derivative(network, x, y)


def hidden_layer_bias_derivatives(network: Network, x: Scalar, y: Scalar) -> Hidden:
    """Hidden Layer bias derivatives: `∂C/∂b¹_j = g · w²_j · f'(z¹_j)`."""
    g, units = output_derivative(network, x, y), forward(network, x)
    slope = network.activation.slope
    return np.array([g * network.w2[j] * slope(units.z1[j, ...]) for j in range(len(units.z1))])


def input_layer_bias_derivatives(network: Network, x: Scalar, y: Scalar) -> Scalar:
    """Input Layer bias derivatives: `∂C/∂b⁰ = g · Σ_j [ w²_j · f'(z¹_j) · w¹_j ] · f'(z⁰)`."""
    g, units = output_derivative(network, x, y), forward(network, x)
    w1, w2, slope = network.w1, network.w2, network.activation.slope
    through_hidden = sum(w2[j] * slope(units.z1[j, ...]) * w1[j] for j in range(len(w1)))
    return np.asarray(g * through_hidden * slope(units.z0))
