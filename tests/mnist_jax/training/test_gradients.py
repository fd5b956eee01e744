"""All ways to compute the gradient have the same interface and the same meaning."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import pytest

from manual_grads import Architecture
from manual_grads.cli.options import options_of
from mnist_jax import model
from mnist_jax.config import Config
from mnist_jax.model import mean_loss as loss
from mnist_jax.training import MODES, mode

CONFIGS = [
    Config(gradient=gradient, architecture=Architecture(layer_sizes=(784, 5, 10), biases=biases))
    for gradient in MODES
    for biases in [("input", "hidden", "output"), ()]
]


@pytest.fixture
def key():
    """A single seed is enough to test an interface, and each compilation takes a second."""
    return jax.random.key(0)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.gradient} {c.architecture.biases}")
def test_loss_is_a_scalar_and_the_gradient_has_the_form_of_the_parameters(config, key):
    params = model.init(key, config.architecture)
    images, targets = jax.random.uniform(key, (7, 784)), jnp.eye(10)[:7]
    loss, gradient = jax.jit(mode(config).value_and_grad)(params, images, targets)
    assert loss.shape == ()
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), gradient) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), params
    )


def test_every_gradient_that_the_flag_names_is_in_the_switch():
    (option,) = [option for option in options_of(Config) if option.name == "gradient"]
    assert option.rule.choices == tuple(MODES)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.gradient} {c.architecture.biases}")
def test_the_loss_is_the_loss_and_the_gradient_its_slope(config, key):
    """The directional derivative along a random v is (C(θ + h v) − C(θ − h v)) / 2h.

    It is computed in float64. Its errors are of the orders h² and u/h.
    """
    with jax.enable_x64(True):
        wide = partial(jax.tree.map, lambda leaf: leaf.astype("float64"))
        params = wide(model.init(key, config.architecture))
        images = wide(jax.random.uniform(key, (7, 784)))
        targets = wide(jnp.eye(10)[:7])
        cost = jax.jit(partial(loss, config.architecture, images=images, targets=targets))
        direction = jax.tree.map(
            lambda leaf: jax.random.normal(key, leaf.shape, "float64") / leaf.size**0.5, params
        )
        value, gradient = jax.jit(mode(config).value_and_grad)(params, images, targets)
        h = 1e-6
        ahead, behind = (
            cost(jax.tree.map(lambda leaf, v, s=sign: leaf + s * h * v, params, direction))
            for sign in (1, -1)
        )
        along = sum(map(jnp.vdot, jax.tree.leaves(gradient), jax.tree.leaves(direction)))
        assert float(value) == pytest.approx(float(cost(params)), rel=1e-12)
        assert float(along) == pytest.approx(float((ahead - behind) / (2 * h)), rel=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.gradient} {c.architecture.biases}")
def test_the_outputs_are_those_of_the_network(config, key):
    params = model.init(key, config.architecture)
    images = jax.random.uniform(key, (7, 784))
    expected = model.forward(config.architecture, params, images)
    assert jnp.allclose(mode(config).outputs(params, images), expected, atol=1e-5)


@pytest.mark.parametrize("gradient", MODES)
def test_only_the_factors_of_products_are_rounded_to_bfloat16(gradient, key):
    """Factors of 8 bits stay as they are, and a factor of 9 bits is rounded to an even one.

    The sums have more than 8 bits, and so has the derivative of each bias. Without activation and
    with squared error, the derivatives for one example are δ = 2 (a − y), and δ aᵀ for weights.
    """
    architecture = Architecture(
        layer_sizes=(784, 10), activation="leaky_relu", negative_slope=1.0, biases=("output",),
        loss="squared_error", label_smoothing=0.0,
    )  # fmt: skip
    config = Config(gradient=gradient, architecture=architecture, precision="bfloat16")
    image = jnp.zeros((1, 784)).at[0, :3].set(jnp.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8]))
    weight = jnp.zeros((10, 784)).at[0, :3].set(jnp.array([1 + 2**-8, 2**-6, 2**-12]))
    params = [{}, {"weight": weight, "bias": jnp.zeros(10)}]
    z = 1.0 + 2**-6 + 2**-12 * (1 + 2**-6)
    assert mode(config).outputs(params, image)[0, 0] == z
    _, found = jax.jit(mode(config).value_and_grad)(params, image, jnp.zeros((1, 10)), jnp.ones(1))
    assert found[1]["bias"][0] == 2 * z
    rounded = 2 * (1 + 2**-6)
    assert found[1]["weight"][0, :3].tolist() == [rounded, rounded, rounded * (1 + 2**-6)]


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
def test_a_float64_factor_is_rounded_to_bfloat16_once(gradient, key):
    """1 + 2⁻⁸ + 2⁻⁴⁰ is rounded up. Rounded to float32 first, it would be midway, and become 1."""
    architecture = Architecture(layer_sizes=(784, 10), biases=(), label_smoothing=0.0)
    config = Config(gradient=gradient, architecture=architecture, precision="bfloat16")
    with jax.enable_x64(True):
        image = jnp.zeros((1, 784), "float64").at[0, 0].set(1 + 2**-8 + 2**-40)
        params = [{}, {"weight": jnp.ones((10, 784), "float64")}]
        assert mode(config).outputs(params, image)[0, 0] == 1 + 2**-7


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
def test_every_product_of_a_training_step_multiplies_bfloat16_numbers(gradient, key):
    """Products of rounded float32 numbers would have the same results, but save no time."""
    config = Config(gradient=gradient, architecture=CONFIGS[0].architecture, precision="bfloat16")
    params = model.init(key, config.architecture)
    step = jax.jit(mode(config).value_and_grad)
    lowered = step.lower(params, jnp.ones((7, 784)), jnp.ones((7, 10))).as_text()
    factors = re.findall(r"dot_general.*: \((.*), (.*)\) -> tensor<.*xf32>", lowered)
    assert len(factors) >= 5  # two forward, and backward two for the weights and one for δ
    assert all("bf16" in left and "bf16" in right for left, right in factors)
