"""Who computes the gradient: the switch behind `--gradient`."""

from collections.abc import Callable
from functools import partial

import jax
from jaxtyping import Array, Float

import manual_grads
from manual_grads import Architecture, derivatives
from manual_grads.derivatives import Disagreement, compare, gradient_bound
from mnist_jax.config import Config
from mnist_jax.loss import loss
from mnist_jax.network import Params, forward

# (params, images, targets) -> (loss, gradient): the loss a scalar, the mean over the batch; the
# gradient with exactly the structure, shapes and dtype of params.
ValueAndGrad = Callable[
    [Params, Float[Array, "batch inputs"], Float[Array, "batch outputs"]],
    tuple[Float[Array, ""], Params],
]


def autodiff(architecture: Architecture) -> ValueAndGrad:
    """Loss and gradient by reverse-mode differentiation of `loss`."""
    return jax.value_and_grad(partial(loss, architecture))


def manual(architecture: Architecture) -> ValueAndGrad:
    """Loss and gradient by the handwritten backward pass."""
    return partial(derivatives.value_and_grad, architecture)


# `checked` trains on autodiff's gradient, and besides holds the handwritten one against it.
GRADIENTS: dict[str, Callable[[Architecture], ValueAndGrad]] = {
    "autodiff": autodiff,
    "manual": manual,
    "checked": autodiff,
}


def outputs(
    config: Config, params: Params, images: Float[Array, "batch inputs"]
) -> Float[Array, "batch outputs"]:
    """The network's outputs, by the very forward pass that the gradient takes.

    In one compiled step with `value_and_grad`, the compiler sees that, and computes them once.
    """
    if config.gradient == "manual":
        units = derivatives.forward(config.architecture, params, images.T)
        return units.a[-1].T
    return forward(config.architecture, params, images)


def value_and_grad(config: Config) -> ValueAndGrad:
    """The function that `--gradient` names, for the config's architecture."""
    return GRADIENTS[config.gradient](config.architecture)


def disagreement(
    architecture: Architecture,
    params: Params,
    images: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
    reference: Params,
) -> Disagreement:
    """What the handwritten gradient and `reference` disagree in, in the dtype of the arguments."""
    _, handwritten = manual(architecture)(params, images, targets)
    bound = gradient_bound(architecture, params, images, targets, images.dtype.name)
    return compare(handwritten, reference, bound)


def disagreement_in_float64(
    architecture: Architecture,
    params: Params,
    images: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
) -> Disagreement:
    """What handwriting and autodiff disagree in, both in float64, of float32 arguments.

    Is to be called under `jax.enable_x64(True)`.
    """
    arguments = jax.tree.map(lambda leaf: leaf.astype("float64"), (params, images, targets))
    params, images, targets = arguments
    _, reference = autodiff(architecture)(params, images, targets)
    return disagreement(architecture, params, images, targets, reference)


def explanation(
    architecture: Architecture,
    params: Params,
    images: Float[Array, "batch inputs"],
    targets: Float[Array, "batch outputs"],
) -> str:
    """What the gradient check says of the handwritten gradient at these parameters, and why."""

    def handwritten(params, images, targets):
        return manual(architecture)(params, images, targets)[1]

    batch = (images, targets)
    report = manual_grads.check_gradient(
        handwritten, partial(loss, architecture), params, batch, network=architecture
    )
    if report.agrees:
        return "no mistake shows on a few examples; look for what depends on the batch"
    return report.verdict()
