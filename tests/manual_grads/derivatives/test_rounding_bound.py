"""Tests of the rounding bound: it equals the stated formula, and mistakes exceed it."""

import math
from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import ACTIVATION_NAMES, LOSS_NAMES, Architecture
from manual_grads.derivatives.network import Forward, value_and_grad
from manual_grads.derivatives.rounding_bound import (
    ERRORS,
    PRECISIONS,
    ForwardErrors,
    Precision,
    gradient_bound,
    output_error,
)
from mnist_jax.model import mean_loss
from tests.manual_grads.derivatives.cases import BIAS_SUBSETS, draw, gradients, named


def cumulative(z):
    """Φ(z), the normal distribution."""
    return math.erfc(-z / math.sqrt(2)) / 2


def density(z):
    """φ(z) = Φ'(z), the density of the normal distribution."""
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


FUNCTIONS = {
    "sigmoid": (lambda z: 1 / (1 + math.exp(-z)), lambda a, z, s: a * (1 - a)),
    "tanh": (math.tanh, lambda a, z, s: 1 - a * a),
    "relu": (lambda z: max(z, 0.0), lambda a, z, s: float(z > 0)),
    "leaky_relu": (None, lambda a, z, s: 1.0 if z > 0 else s),
    "gelu": (lambda z: z * cumulative(z), lambda a, z, s: cumulative(z) + z * density(z)),
}


def scalar_bound(network, point, u, eta):
    """The formulas in the docstring of `rounding_bound`, computed with numbers in plain Python.

    For each example, a layer is a list with the `(a, f'(z), E_a, E_f', E_z)` of each unit.
    """
    sizes, s, examples = network.layer_sizes, network.negative_slope, len(point.images)
    f, slope = FUNCTIONS[network.activation]
    if network.activation == "leaky_relu":
        f = lambda z: z if z > 0 else s * z  # noqa: E731 - FUNCTIONS has no access to s
    elif network.activation == "relu":
        s = 0.0

    def gamma(n):
        return n * u / (1 - n * u)

    def errors(layer, z, e_z):
        active = (
            (network.input_layer == "active")
            if layer == 0
            else (layer < network.depth or network.loss == "squared_error")
        )
        if not active:
            return z, 1.0, e_z, 0.0
        a = f(z)
        at = slope(a, z, s)
        if network.activation == "sigmoid":
            e_a = abs(at) * e_z + 5 * u * abs(a) + eta
            return a, at, e_a, abs(1 - 2 * a) * e_a + e_a**2 + 4 * u * abs(a) + eta
        if network.activation == "tanh":
            e_a = abs(at) * e_z + 5 * u * abs(a) + eta
            return a, at, e_a, 2 * abs(a) * e_a + e_a**2 + 2 * u + eta
        if network.activation == "gelu":
            size, phi = abs(z), density(z)
            e_a = abs(at) * e_z + 0.4 * e_z**2 + 5 * u * (abs(a) + z * z * phi) + (1 + size) * eta
            terms = cumulative(z) + (size + size**3) * phi
            return a, at, e_a, 0.8 * e_z + 5 * u * terms + (1 + size) * eta
        e_a = max(1.0, abs(s)) * e_z + eta
        if network.activation == "leaky_relu":
            e_a += 2 * u * abs(a)
        near_kink = abs(z) <= e_z and (z != 0 or e_z > eta / u**2)
        return a, at, e_a, u * abs(s) + abs(1 - s) * near_kink + eta

    total = [
        {name: np.zeros(np.shape(leaf)) for name, leaf in leaves.items()} for leaves in point.params
    ]
    batch = (part.astype(float) for part in (point.images, point.targets, point.weights))
    for x, y, weight in zip(*batch, strict=True):
        layers = []
        for layer, units in enumerate(sizes):
            bias = point.params[layer].get("bias")
            row = []
            for j in range(units):
                b = 0.0 if bias is None else float(bias[j])
                if layer == 0:
                    z = x[j] + b
                    e_z = 0.0 if bias is None else u * abs(z) + eta
                else:
                    w = point.params[layer]["weight"][j].astype(float)
                    below, n = layers[-1], sizes[layer - 1]
                    z = sum(w[k] * below[k][0] for k in range(n)) + b
                    e_z = sum(abs(w[k]) * below[k][2] for k in range(n)) + n * eta
                    e_z += gamma(n + 1) * (sum(abs(w[k] * below[k][0]) for k in range(n)) + abs(b))
                row.append((*errors(layer, z, e_z), e_z))
            layers.append(row)
        delta, e_delta = output_layer(network, layers[-1], y, weight, u, eta)
        for layer in reversed(range(len(sizes))):
            if layer < network.depth:
                w, m = point.params[layer + 1]["weight"].astype(float), sizes[layer + 1]
                new_delta, new_error = [], []
                for k in range(sizes[layer]):
                    _, at, _, e_at, _ = layers[layer][k]
                    down = sum(w[j, k] * delta[j] for j in range(m))
                    error = sum(
                        abs(w[j, k]) * (e_delta[j] + gamma(m) * abs(delta[j])) for j in range(m)
                    )
                    error = (error + m * eta) * (abs(at) + e_at)
                    new_delta.append(down * at)
                    new_error.append(error + abs(down) * (e_at + u * abs(at)) + eta)
                delta, e_delta = new_delta, new_error
            for j in range(sizes[layer]):
                rounding = gamma(examples) * abs(delta[j])
                if "bias" in total[layer]:
                    total[layer]["bias"][j] += e_delta[j] + rounding + eta
                if layer > 0:
                    for k in range(sizes[layer - 1]):
                        a, _, e_a, _, _ = layers[layer - 1][k]
                        term = e_delta[j] * abs(a) + abs(delta[j]) * e_a + e_delta[j] * e_a
                        total[layer]["weight"][j, k] += term + rounding * abs(a) + eta
    return total


def output_layer(network, row, y, weight, u, eta):
    """δ^L and E_δL of one example, as lists over the outputs."""
    outputs = [a for a, *_ in row]
    if network.loss == "cross_entropy":
        exponentials = [math.exp(a - max(outputs)) for a in outputs]
        p = [e / sum(exponentials) * sum(y) for e in exponentials]
        growth = math.expm1(2 * max(e_z for *_, e_z in row) + (2 * len(y) + 6) * u)
        pairs = list(zip(p, y, strict=True))
        delta = [(pk - yk) * weight for pk, yk in pairs]
        errors = [pk * growth + 3 * u * abs(pk - yk) + u * abs(yk) for pk, yk in pairs]
    else:
        delta = [-2 * (yk - a) * at * weight for (a, at, *_), yk in zip(row, y, strict=True)]
        errors = []
        for (a, at, e_a, e_at, _), yk in zip(row, y, strict=True):
            distance = abs(a - yk)
            error = (e_a + u * distance) * (abs(at) + e_at) + distance * e_at
            errors.append(2 * (error + 4 * u * distance * abs(at)))
    return delta, [error * weight + eta for error in errors]


@pytest.mark.parametrize(
    ("input_layer", "biases"),
    [
        ("active", ("input", "hidden", "output")),
        ("plain", ("input", "hidden")),
        ("plain", ("hidden", "output")),
    ],
)
@pytest.mark.parametrize("loss", LOSS_NAMES)
@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_the_bound_is_the_stated_formula(activation, loss, input_layer, biases, monkeypatch):
    """`gradient_bound` equals `scalar_bound`, the formulas in plain Python, both in float64.

    The unit roundoff `u` and the smallest normal number `η` are so large that each term matters.
    """
    network = Architecture(
        layer_sizes=(4, 2, 5, 3),
        activation=activation,
        negative_slope=0.3,
        loss=loss,
        input_layer=input_layer,
        biases=biases,
        label_smoothing=0.0,
    )
    point = draw(network, 7, np.random.default_rng(0))
    monkeypatch.setitem(PRECISIONS, "coarse", Precision(2.0**-16, 2.0**-20))
    with jax.enable_x64(True):
        arrays = jax.tree.map(lambda leaf: jax.numpy.asarray(leaf, "float64"), point)
        computed = gradient_bound(network, *arrays, precision="coarse")
    expected = scalar_bound(network, point, *PRECISIONS["coarse"])
    for leaf, values in named(expected).items():
        np.testing.assert_allclose(named(computed)[leaf], values, rtol=1e-9, err_msg=leaf)


MEANS = {
    "loss": mean_loss,
    "gradient": value_and_grad,
    "bound": partial(gradient_bound, precision="float32"),
}


@pytest.mark.parametrize("of", MEANS.values(), ids=MEANS.keys())
def test_without_weights_loss_gradient_and_bound_are_those_of_the_mean_over_all_examples(of):
    network = SOME[0]
    point = draw(network, 4, np.random.default_rng(0))
    params, images, targets, _ = jax.tree.map(jnp.asarray, point)
    equal = of(network, params, images, targets, jnp.full(4, 0.25))
    jax.tree.map(np.testing.assert_array_equal, of(network, params, images, targets), equal)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_precision_is_what_ieee_754_says(precision):
    limits = np.finfo(precision)
    assert PRECISIONS[precision] == (limits.eps / 2, limits.tiny)


@pytest.mark.parametrize("exponent", [79.5, 80.0, 80.5])
def test_beyond_the_largest_exponent_a_probability_may_be_off_by_1_and_no_more(exponent):
    """The outputs are 0 and −100 and the targets 0.25 and 0.5, so p Σy is 0.75 (1, e⁻¹⁰⁰)."""
    network = Architecture(layer_sizes=(1, 2), biases=("output",), label_smoothing=0.0)
    u, eta = 2.0**-20, 2.0**-100
    with jax.enable_x64(True):
        column = jax.numpy.array([[0.0], [-100.0]])
        units = Forward([column[:1], column], [column[:1], column], [1.0, 1.0])
        half = jax.numpy.array([[0.0], [(exponent - 10 * u) / 2]])  # 10 is 2K + 6
        errors = ForwardErrors([0.0, half], [0.0, half], [0.0, 0.0])
        y = jax.numpy.array([[0.25], [0.5]])
        computed = output_error(network, units, errors, y, jnp.ones(1), Precision(u, eta))
    for p, target, value in zip((0.75, 0.75 * math.exp(-100)), (0.25, 0.5), computed, strict=True):
        grown = p * math.expm1(exponent) if exponent < 80 else 0.75
        expected = grown + 3 * u * abs(p - target) + u * target + eta
        assert float(value[0]) == pytest.approx(expected, rel=1e-9)


SOME = [
    Architecture(
        layer_sizes=(8, 7, 6),
        activation=activation,
        loss=loss,
        input_layer="active",
        biases=BIAS_SUBSETS[7],
        label_smoothing=0.0,
    )
    for activation, loss in product(ACTIVATION_NAMES, LOSS_NAMES)
]


@pytest.mark.parametrize("network", SOME, ids=lambda n: f"{n.activation}-{n.loss}")
def test_an_error_of_a_twentieth_of_a_percent_exceeds_the_float64_bound(network):
    """It must do so in at least 99 % of the entries whose derivative is not 0."""
    point = draw(network, 7, np.random.default_rng(3))
    with jax.enable_x64(True):
        point = jax.tree.map(jnp.asarray, point)
        measured = jax.tree.map(np.asarray, gradients(network, point, "float64"))
    exceeded = total = 0
    for leaf, values in named(measured.autodiff).items():
        injected, present = np.abs(5e-4 * values), values != 0
        exceeded += np.sum((injected > 2 * named(measured.bound)[leaf])[present])
        total += present.sum()
    assert exceeded >= 0.99 * total
    assert total > 30


@pytest.mark.parametrize(
    ("weight", "bias", "either"),
    [((1.0, 2.0**-30), -1.0, True), ((1.0, 0.0), -1.0, True), ((0.0, 0.0), 0.0, False)],
    ids=["z = 2⁻³⁰", "z = 0 of terms that cancel", "z = 0 of terms that are 0"],
)
def test_a_z_that_rounding_may_carry_over_the_kink_has_either_slope(weight, bias, either):
    """If rounding can change the sign of z, the bound allows both slopes; otherwise it is tiny."""
    network = Architecture(
        layer_sizes=(2, 1, 1), biases=("hidden",), loss="squared_error", label_smoothing=0.0
    )
    with jax.enable_x64(True):
        number = jax.numpy.array
        params = [
            {},
            {"weight": number([weight]), "bias": number([bias])},
            {"weight": number([[1.0]])},
        ]
        ones = jax.numpy.ones
        bound = gradient_bound(network, params, ones((1, 2)), ones((1, 1)), precision="float32")
    assert bound[1]["bias"].item() > 1.9 if either else bound[1]["bias"].item() < 1e-30


@pytest.mark.parametrize(("name", "s"), [("relu", 0.0), ("leaky_relu", 0.25)])
def test_a_rectifier_has_either_slope_up_to_the_error_of_z_and_itself_included(name, s):
    """E_f' is u s, plus 1 − s if |z| ≤ E_z; for z = 0, E_z must also exceed η / u²."""
    u, eta = 2.0**-10, 2.0**-50
    few = eta / u**2
    z = few * jax.numpy.array([0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 0.0, 0.0, 0.0])
    e_z = few * jax.numpy.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0**12])
    near = np.array([1, 1, 1, 1, 0, 0, 0, 1, 1], "float32")
    computed = ERRORS[name].slope(z, None, None, e_z, None, s, Precision(u, eta))
    np.testing.assert_array_equal(computed, u * s + (1 - s) * near)
