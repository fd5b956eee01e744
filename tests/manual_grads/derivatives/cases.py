"""Random parameters and batches, both gradients at them, and the assertion of agreement."""

from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads import named_leaves as named
from manual_grads.derivatives import network
from manual_grads.derivatives.rounding_bound import gradient_bound
from mnist_jax.model import mean_loss as loss

BIAS_SUBSETS = [
    tuple(name for bit, name in enumerate(("input", "hidden", "output")) if subset >> bit & 1)
    for subset in range(8)
]


class Point(NamedTuple):
    """Parameters and a batch, as float32 NumPy arrays."""

    params: list
    images: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


def draw(
    architecture, batch, random, *, weight_scale=1.0, image_scale=1.0, zeros=0.0, smoothing=None
):
    """A random point: weights ~ N(0, scale²/inputs), and biases that are never 0.

    A share `zeros` of the pixels is exactly 0. Targets are one-hot and smoothed for cross-entropy,
    and ~ U(−1, 1) for squared error. The weights of the examples are random and sum to 1; the first
    is 0 unless it is the only one.
    """
    sizes = architecture.layer_sizes
    params = [{} for _ in sizes]
    for layer, units in enumerate(sizes):
        if layer > 0:
            inputs = sizes[layer - 1]
            params[layer]["weight"] = random.normal(0, weight_scale / inputs**0.5, (units, inputs))
        if architecture.has_bias(layer):
            size = random.uniform(0.1, 1, units) * weight_scale
            params[layer]["bias"] = size * random.choice([-1, 1], units)
    images = image_scale * random.uniform(-1, 1, (batch, sizes[0]))
    images *= random.random(images.shape) >= zeros
    if architecture.loss == "cross_entropy":
        smoothing = architecture.label_smoothing if smoothing is None else smoothing
        targets = np.eye(sizes[-1])[random.integers(0, sizes[-1], batch)]
        targets = (1 - smoothing) * targets + smoothing / sizes[-1]
    else:
        targets = random.uniform(-1, 1, (batch, sizes[-1]))
    weights = random.uniform(0.5, 1, batch) * (np.arange(batch) > 0 if batch > 1 else 1)
    point = (params, images, targets, weights / weights.sum())
    return Point(*jax.tree.map(np.float32, point))


class Gradients(NamedTuple):
    """Both gradients and the rounding bound, in one precision."""

    autodiff: list
    manual: list
    bound: list


class Measured(NamedTuple):
    """The results in float64, and those in float32; both bounds are computed in float64."""

    float64: Gradients
    float32: Gradients


FACTORS = (None, "bfloat16")
"""The formats of the factors of matrix products; None leaves the factors as they are."""


def both(architecture, factors, *point):
    """Both gradients at a point and their bound, in float64 and float32; call it under x64."""
    return Measured(*(gradients(architecture, point, each, factors) for each in Measured._fields))


def gradients(architecture, point, precision, factors=None):
    """The `Gradients` of a float32 point in `precision`; call it under x64."""
    wide = jax.tree.map(lambda leaf: leaf.astype("float64"), point)
    point = wide if precision == "float64" else point
    autodiff = jax.grad(partial(loss, architecture, factors=factors))(*point)
    manual = network.value_and_grad(architecture, *point, factors=factors)[1]
    bound = gradient_bound(architecture, *wide, factors=factors, precision=precision)
    return Gradients(autodiff, manual, bound)


@lru_cache(maxsize=8)  # each uses over 100 memory maps, and Linux allows 65,530 per process
def compiled(architecture, factors, options):
    """`both` of the architecture, compiled with these options (pairs of name and value)."""
    return jax.jit(partial(both, architecture, factors), compiler_options=dict(options))


def measure(architecture, point, compiler_options=None, factors=None):
    """Both gradients at a point and their bounds, in both precisions, as NumPy arrays.

    With `compiler_options`, all of it is one compiled function, as in training. Otherwise each
    operation is compiled alone and used again for other architectures with the same shapes, which
    is faster for many architectures and few points.
    """
    with jax.enable_x64(True):
        arrays = jax.tree.map(jnp.asarray, point)
        if compiler_options is None:
            return jax.tree.map(np.asarray, both(architecture, factors, *arrays))
        options = tuple(compiler_options.items())
        return jax.tree.map(np.asarray, compiled(architecture, factors, options)(*arrays))


def assert_agreement(measured):
    """Asserts that both gradients have the same structure and agree in every leaf.

    In float64, |M − G| ≤ 2B. In float32, M and G are each within B of the float64 G.
    """
    wide, narrow = measured
    structure = jax.tree.structure(wide.autodiff)
    for tree in (*wide, *narrow):
        assert jax.tree.structure(tree) == structure
    reference, handwritten = named(wide.autodiff), named(wide.manual)
    for leaf, allowed in named(wide.bound).items():
        assert handwritten[leaf].shape == reference[leaf].shape
        assert handwritten[leaf].dtype == np.float64
        worst = np.max(np.abs(handwritten[leaf] - reference[leaf]) / (2 * allowed))
        assert worst <= 1, f"{leaf}: {worst} of twice the float64 bound"
    for name in ("autodiff", "manual"):
        computed = named(getattr(narrow, name))
        for leaf, allowed in named(narrow.bound).items():
            assert computed[leaf].dtype == np.float32
            worst = np.max(np.abs(computed[leaf] - reference[leaf]) / allowed)
            assert worst <= 1, f"{leaf} of {name}: {worst} of the float32 bound"


def assert_close_to_the_leafs_largest(measured, tolerance=1e-13):
    """Asserts that each float64 error is at most `tolerance` times the leaf's largest entry.

    This holds only if no unit is saturated.
    """
    reference, handwritten = named(measured.float64.autodiff), named(measured.float64.manual)
    for leaf, values in reference.items():
        error = np.abs(handwritten[leaf] - values).max()
        assert error <= tolerance * np.abs(values).max(), leaf
