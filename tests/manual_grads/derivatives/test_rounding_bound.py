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
from manual_grads.derivatives.network import product as product_of
from manual_grads.derivatives.rounding_bound import (
    ERRORS,
    PRECISIONS,
    ForwardErrors,
    Precision,
    gradient_bound,
    output_error,
)
from mnist_jax.model import mean_loss
from tests.manual_grads.derivatives.cases import (
    BIAS_SUBSETS,
    FACTORS,
    Point,
    assert_agreement,
    draw,
    gradients,
    measure,
    named,
)
from tests.manual_grads.derivatives.scalar_bound import scalar_bound


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
@pytest.mark.parametrize("factors", FACTORS)
def test_the_bound_is_the_stated_formula(
    factors, activation, loss, input_layer, biases, monkeypatch
):
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
        computed = gradient_bound(network, *arrays, factors=factors, precision="coarse")
    expected = scalar_bound(network, point, *PRECISIONS["coarse"], factors)
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


SMOOTH = next(each for each in SOME if each.activation == "gelu")


@pytest.mark.parametrize(
    ("network", "factors"), [*((each, None) for each in SOME), (SMOOTH, "bfloat16")]
)
def test_an_error_of_a_twentieth_of_a_percent_exceeds_the_float64_bound(network, factors):
    """It must do so in at least 99 % of the entries whose derivative is not 0.

    With bfloat16, it does so only if the sums have many terms that are not 0. A single product of
    two factors of 8 bits is often midway between two numbers of 8 bits; the bound then allows both.
    """
    point = draw(network, 7, np.random.default_rng(3))
    with jax.enable_x64(True):
        point = jax.tree.map(jnp.asarray, point)
        measured = jax.tree.map(np.asarray, gradients(network, point, "float64", factors))
    exceeded = total = 0
    for leaf, values in named(measured.autodiff).items():
        injected, present = np.abs(5e-4 * values), values != 0
        exceeded += np.sum((injected > 2 * named(measured.bound)[leaf])[present])
        total += present.sum()
    assert exceeded >= 0.99 * total
    assert total > 30


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_a_factor_that_float32_rounds_to_another_bfloat16_number_stays_within_the_bound(activation):
    """257 + 2⁻²⁰ is rounded to 258 in bfloat16, and to 257 in float32, which is rounded to 256.

    z¹ is 0 or −16, so that the error of z¹ saturates the hidden unit.
    """
    network = Architecture(
        layer_sizes=(1, 1, 1), activation=activation, biases=("input", "hidden"),
        loss="squared_error", label_smoothing=0.0,
    )  # fmt: skip
    of = partial(np.array, dtype=np.float32)
    params = [{"bias": of([2**-20])}, {"weight": of([[-8]]), "bias": of([2048])}]
    point = Point([*params, {"weight": of([[0.5]])}], of([[257]]), of([[1]]), of([1]))
    measured = measure(network, point, factors="bfloat16")
    exact, computed = measured.float64.autodiff, measured.float32.autodiff
    assert abs(exact[2]["weight"] - computed[2]["weight"]) > 0.01
    assert_agreement(measured)


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


@pytest.mark.parametrize(
    ("dtype", "factors", "multiplied", "precision"),
    [
        ("float32", None, "float32", (jax.lax.Precision.HIGHEST,) * 2),
        ("float32", "bfloat16", "bfloat16", None),
        ("float64", None, "float64", (jax.lax.Precision.HIGHEST,) * 2),
        ("float64", "bfloat16", "float64", (jax.lax.Precision.HIGHEST,) * 2),
    ],
)
def test_a_product_multiplies_the_format_that_its_device_has(dtype, factors, multiplied, precision):
    """Only float32 sums have factors in bfloat16; all other products have full precision."""
    with jax.enable_x64(True):
        matrix = jnp.ones((2, 2), dtype)
        traced = jax.make_jaxpr(lambda a, b: product_of(a, b, factors))(matrix, matrix)
    (dot,) = [equation for equation in traced.eqns if equation.primitive.name == "dot_general"]
    assert {value.aval.dtype.name for value in dot.invars} == {multiplied}
    assert dot.outvars[0].aval.dtype == dtype
    assert dot.params["precision"] == precision
