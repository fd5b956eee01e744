"""The network: the formula of the document, symmetries, and shapes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import ACTIVATION_NAMES, Architecture
from mnist_jax.model import activations, network
from mnist_jax.model import mean_loss as loss

FORMULAS = {
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "tanh": math.tanh,
    "gelu": lambda z: z * math.erfc(-z / math.sqrt(2)) / 2,
    "relu": lambda z: max(z, 0.0),
    "leaky_relu": lambda z: z if z > 0 else 0.1 * z,
}


def uniform(key, *shape):
    return jax.random.uniform(key, shape, minval=-1, maxval=1)


def random_params(key, architecture):
    """Random parameters in (−1, 1), biases included."""
    params = network.init(key, architecture)
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    return jax.tree.unflatten(
        structure, [uniform(key, *leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    )


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_1_5_1_is_the_documents_formula(activation, key):
    """z⁰ = x + b⁰, z¹_j = w¹_j a⁰ + b¹_j, z² = Σ_j w²_j a¹_j + b², a = f(z), C = (y − a²)².

    Either formula makes fewer than 64 rounding errors in float64; a sigmoid or tanh makes 5 of
    them. The rounded numbers are below 8. Later factors, such as 2(y − a²) in C, multiply each
    error by less than 16.
    """
    with jax.enable_x64(True):
        architecture = Architecture(
            layer_sizes=(1, 5, 1),
            activation=activation,
            input_layer="active",
            biases=("input", "hidden", "output"),
            loss="squared_error",
            label_smoothing=0.0,
        )
        params = jax.tree.map(lambda leaf: leaf.astype("float64"), random_params(key, architecture))
        (b0,), (w1, b1), (w2, b2) = [
            [
                np.asarray(layer[name]).ravel().tolist()
                for name in ("weight", "bias")
                if name in layer
            ]
            for layer in params
        ]
        f = FORMULAS[activation]
        x, y = 0.75, -0.5
        a0 = f(x + b0[0])
        a1 = [f(w1[j] * a0 + b1[j]) for j in range(5)]
        a2 = f(sum(w2[j] * a1[j] for j in range(5)) + b2[0])
        inputs, target = jnp.array([[x]]), jnp.array([[y]])
        tolerance = 2 * 64 * 8 * 16 * 2.0**-53
        assert abs(network.forward(architecture, params, inputs).item() - a2) < tolerance
        assert abs(loss(architecture, params, inputs, target).item() - (y - a2) ** 2) < tolerance


def test_under_cross_entropy_the_outputs_are_not_activated():
    architecture = Architecture(layer_sizes=(2, 1), activation="relu", biases=())
    params = [{}, {"weight": jnp.array([[1.0, -2.0]])}]
    assert network.forward(architecture, params, jnp.array([[1.0, 3.0]])).item() == -5


def test_under_squared_error_the_outputs_are_activated():
    architecture = Architecture(
        layer_sizes=(2, 1), activation="relu", biases=(), loss="squared_error", label_smoothing=0.0
    )
    params = [{}, {"weight": jnp.array([[1.0, -2.0]])}]
    assert network.forward(architecture, params, jnp.array([[1.0, 3.0]])).item() == 0


def test_a_plain_input_layer_adds_its_bias_without_activation():
    architecture = Architecture(layer_sizes=(2, 2), activation="relu", biases=("input",))
    params = [{"bias": jnp.array([-1.0, 2.0])}, {"weight": jnp.eye(2)}]
    outputs = network.forward(architecture, params, jnp.array([[0.5, 0.5]]))
    assert outputs.tolist() == [[-0.5, 2.5]]


def rounding_bound(params, images):
    """The largest possible rounding error of each output z^L of a float32 relu network.

    In each layer E_z = |W| E_a + γ_{m+1} (|W| |a| + |b|) with γ_n = n u / (1 − n u) and m inputs.
    In any order of summation, a dot product has an error of at most γ_m times the sum of its
    absolute terms. Adding the bias rounds once more; relu adds no error. The bound is computed in
    float64, whose rounding errors are negligible here.
    """
    a = z = np.asarray(images, np.float64)
    error = np.zeros(images.shape)
    for layer in params[1:]:
        weight, bias = (np.asarray(layer[name], np.float64) for name in ("weight", "bias"))
        n, u = weight.shape[1] + 1, 2.0**-24
        size = np.abs(a) @ np.abs(weight).T + np.abs(bias)
        error = error @ np.abs(weight).T + n * u / (1 - n * u) * size
        z = a @ weight.T + bias
        a = np.maximum(z, 0)
    return error, z


def test_permuting_hidden_units_leaves_the_outputs_unchanged(key):
    architecture = Architecture(layer_sizes=(30, 20, 10))
    params = random_params(key, architecture)
    images = uniform(jax.random.fold_in(key, 1), 7, 30)
    order = jax.random.permutation(key, 20)
    permuted = [
        {},
        {name: leaf[order] for name, leaf in params[1].items()},
        {"weight": params[2]["weight"][:, order], "bias": params[2]["bias"]},
    ]
    bound, _ = rounding_bound(params, images)
    outputs = network.forward(architecture, params, images)
    difference = np.abs(outputs - network.forward(architecture, permuted, images))
    assert np.all(difference <= 2 * bound)
    assert bound.max() < 1e-3 * np.abs(outputs).max()  # the bound is not trivial


def test_the_loss_of_a_batch_is_the_mean_over_its_examples(key):
    """They agree within rounding errors, for the squared error of a relu network (a = z ≥ 0).

    E bounds the error of an output. Two computed outputs differ by at most 2E, so their squared
    errors differ by at most (2|y − a| + 2E)·2E. Each computed mean has a relative error of at most
    γ_{K+N+3}, because its terms are positive: K outputs are subtracted, squared and added, then N
    examples are added and divided.
    """
    architecture = Architecture(layer_sizes=(30, 20, 10), loss="squared_error", label_smoothing=0.0)
    params = random_params(key, architecture)
    images, targets = uniform(key, 7, 30), uniform(jax.random.fold_in(key, 1), 7, 10)
    batch = loss(architecture, params, images, targets)
    singles = [loss(architecture, params, images[n : n + 1], targets[n : n + 1]) for n in range(7)]
    error, z = rounding_bound(params, images)
    distance = np.abs(np.asarray(targets, np.float64) - np.maximum(z, 0))
    of_outputs = ((2 * distance + 2 * error) * 2 * error).sum(axis=1).mean()
    of_means = 2 * (10 + 7 + 3) * 2.0**-24 * float(batch)
    tolerance = 1.01 * (of_outputs + of_means)  # 1 % more, for products of errors
    assert abs(float(batch) - np.mean([float(single) for single in singles])) <= tolerance
    assert tolerance < 1e-3 * float(batch)


@pytest.mark.parametrize("factor", [0.25, 2.0, 8.0])
@pytest.mark.parametrize("input_layer", ["plain", "active"])
@pytest.mark.parametrize("output", ["cross_entropy", "squared_error"])
def test_leaky_relu_without_biases_is_positively_homogeneous(factor, input_layer, output, key):
    """f(c·x) = c·f(x) holds to the bit, because c is a power of 2."""
    architecture = Architecture(
        layer_sizes=(30, 20, 20, 10),
        activation="leaky_relu",
        input_layer=input_layer,
        biases=(),
        loss=output,
        label_smoothing=0.0,
    )
    params = random_params(key, architecture)
    images = uniform(jax.random.fold_in(key, 1), 7, 30)
    scaled = network.forward(architecture, params, factor * images)
    assert jnp.array_equal(scaled, factor * network.forward(architecture, params, images))


@pytest.mark.parametrize(("activation", "slope"), [("relu", 0.0), ("leaky_relu", 0.1)])
def test_the_slope_at_exactly_0_is_the_negative_slope(activation, slope):
    f = activations.ACTIVATIONS[activation]
    assert jax.grad(lambda z: f(z, 0.1))(0.0) == np.float32(slope)
    assert jax.grad(lambda z: f(z, 0.1))(-0.0) == np.float32(slope)


def test_a_bias_that_is_off_is_no_leaf():
    architecture = Architecture(layer_sizes=(4, 3, 2), biases=("output",))
    params = network.init(jax.random.key(0), architecture)
    assert jax.tree.map(jnp.shape, params) == [
        {},
        {"weight": (3, 4)},
        {"weight": (2, 3), "bias": (2,)},
    ]


@pytest.mark.parametrize(
    ("initializer", "deviation"),
    [
        ("he", math.sqrt(2 / 400)),
        ("glorot", math.sqrt(6 / 700) / math.sqrt(3)),
        ("uniform", 1 / math.sqrt(3)),
    ],
)
def test_initial_weights_have_their_deviation_and_biases_are_0(initializer, deviation, key):
    """The sample deviation of 120,000 draws has an error below 1 %, which is 5 standard errors."""
    architecture = Architecture(layer_sizes=(400, 300, 10))
    params = network.init(key, architecture, initializer, 0.5)
    assert float(params[1]["weight"].std()) == pytest.approx(0.5 * deviation, rel=0.0103)
    assert not params[1]["bias"].any()


def test_each_layer_draws_its_own_initial_weights_whatever_the_others_are(key):
    shallow = network.init(key, Architecture(layer_sizes=(5, 5, 5)))
    deep = network.init(key, Architecture(layer_sizes=(5, 5, 7, 5)))
    assert jnp.array_equal(shallow[1]["weight"], deep[1]["weight"])
    assert not jnp.array_equal(shallow[1]["weight"], shallow[2]["weight"])


def test_the_negative_slope_is_the_one_that_was_named():
    architecture = Architecture(
        layer_sizes=(2, 1), activation="leaky_relu", negative_slope=0.25, biases=(),
        loss="squared_error", label_smoothing=0.0,
    )  # fmt: skip
    params = [{}, {"weight": jnp.array([[1.0, -2.0]])}]
    assert network.forward(architecture, params, jnp.array([[1.0, 3.0]])).item() == -1.25


def test_products_are_taken_in_full_precision_on_every_device():
    architecture = Architecture(layer_sizes=(4, 3, 2))
    params = network.init(jax.random.key(0), architecture)
    traced = jax.make_jaxpr(lambda x: network.forward(architecture, params, x))(jnp.ones((2, 4)))
    products = [eqn for eqn in traced.eqns if eqn.primitive.name == "dot_general"]
    assert len(products) == 2
    for product in products:
        assert set(product.params["precision"]) == {jax.lax.Precision.HIGHEST}
