"""The derivatives of the cost for one image: handwritten, by autodiff, and their differences.

Each layer without a bias is given a bias of 0, which does not change the outputs. Then the gradient
has a leaf with δ^l = ∂C/∂z^l of each layer, because ∂C/∂b^l = δ^l for one example. So the input
layer bias derivative ∂C/∂b⁰ exists even if the run's network has no b⁰.
"""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from manual_grads import Architecture, derivatives, targets
from mnist_jax.model import Params, forward, mean_loss

Pixels = Float[Array, " pixels"]
Label = Int[Array, ""]


class Derivatives(NamedTuple):
    """The numbers that the page shows for one image. `z`, `a` and `slope` have one array per layer.

    `y` has the targets, smoothed as in training. `output` is softmax(z^L) with cross-entropy, else
    a^L. `handwritten` and `autodiff` have the structure of the parameters, but only one row of
    ∂C/∂W^l `[inputs]`: the row of unit `row[l]`. `difference` is the largest difference between the
    two gradients in each leaf, over all rows. `of_bound` is the largest ratio of a difference to
    twice the rounding bound.
    """

    cost: Float[Array, ""]
    output: Float[Array, " outputs"]
    y: Float[Array, " outputs"]
    z: list[Float[Array, " units"]]
    a: list[Float[Array, " units"]]
    slope: list[Float[Array, " units"]]
    row: list[Int[Array, ""]]
    handwritten: Params
    autodiff: Params
    difference: Params
    of_bound: Params


def with_every_bias(
    architecture: Architecture, params: Params
) -> tuple[Architecture, Params, Params]:
    """The architecture and parameters of the network, with a bias of 0 in each layer that had none.

    The third value is 1 for each leaf of `params`, and 0 for each added bias.
    """
    hidden = ("hidden",) if architecture.depth > 1 else ()
    full = replace(architecture, biases=("input", *hidden, "output"))
    added = [
        {"bias": jnp.zeros(units, "float32")} | leaves
        for units, leaves in zip(architecture.layer_sizes, params, strict=True)
    ]
    own = [
        {name: jnp.float32(name in leaves) for name in every}
        for every, leaves in zip(added, params, strict=True)
    ]
    return full, added, own


@partial(jax.jit, static_argnums=0)
def compute(
    architecture: Architecture,
    params: Params,
    pixels: Pixels,
    label: Label,
    unit: Int[Array, " layers"],
) -> Derivatives:
    """The derivatives for an image with values from 0 to 1 whose target is the digit `label`.

    If `label` is −1, the target is the digit with the second-largest output. If `unit[l]` is −1,
    `row[l]` is the unit of layer l with the largest |δ|. Every layer of `architecture` has a bias.
    """
    images = pixels[None]
    units = derivatives.forward(architecture, params, images.T)
    outputs = units.a[-1][:, 0]
    label = jnp.where(label < 0, jnp.argsort(outputs)[-2].astype(label.dtype), label)
    y = targets(architecture, label[None], pixels.dtype)
    cost, handwritten = derivatives.value_and_grad(architecture, params, images, y)
    autodiff = jax.grad(partial(mean_loss, architecture))(params, images, y)
    bound = derivatives.gradient_bound(architecture, params, images, y, precision=pixels.dtype.name)
    worst = derivatives.compare(handwritten, autodiff, bound)
    row = [
        jnp.where(chosen < 0, jnp.argmax(abs(leaves["bias"])).astype(chosen.dtype), chosen)
        for chosen, leaves in zip(unit, handwritten, strict=True)
    ]
    return Derivatives(
        cost,
        _shown(architecture, outputs),
        y[0],
        [z[:, 0] for z in units.z],
        [a[:, 0] for a in units.a],
        [jnp.broadcast_to(s, z.shape)[:, 0] for s, z in zip(units.slope, units.z, strict=True)],
        row,
        _rows(handwritten, row),
        _rows(autodiff, row),
        worst.largest,
        worst.of_bound,
    )


def _rows(gradient: Params, row: list[Int[Array, ""]]) -> Params:
    """The gradient with only row `row[l]` of ∂C/∂W^l, because returning all rows is slow."""
    return [
        {name: leaf[unit] if name == "weight" else leaf for name, leaf in leaves.items()}
        for unit, leaves in zip(row, gradient, strict=True)
    ]


@partial(jax.jit, static_argnums=0)
def evaluate(
    architecture: Architecture, params: Params, pixels: Pixels, label: Label
) -> tuple[Float[Array, ""], Float[Array, " outputs"]]:
    """The cost and the output as `compute` returns them, without derivatives."""
    y = targets(architecture, label[None], pixels.dtype)
    outputs = forward(architecture, params, pixels[None])
    cost = mean_loss(architecture, params, pixels[None], y)
    return cost, _shown(architecture, outputs[0])


def _shown(
    architecture: Architecture, outputs: Float[Array, " outputs"]
) -> Float[Array, " outputs"]:
    return jax.nn.softmax(outputs) if architecture.loss == "cross_entropy" else outputs


@partial(jax.jit, static_argnums=0)
def step(
    architecture: Architecture,
    params: Params,
    own: Params,
    pixels: Pixels,
    label: Label,
    rate: Float[Array, ""],
) -> Params:
    """The parameters θ − rate · ∂C/∂θ; a bias that only the page adds (0 in `own`) stays 0."""
    y = targets(architecture, label[None], pixels.dtype)
    _, gradient = derivatives.value_and_grad(architecture, params, pixels[None], y)
    return jax.tree.map(lambda leaf, g, mask: leaf - rate * mask * g, params, gradient, own)
