"""Who computes the gradient: the switch behind `--gradient`."""

from collections.abc import Callable
from functools import partial

import jax
from jaxtyping import Array, Float

from manual_grads.architecture import Architecture
from mnist_jax.config import Config
from mnist_jax.loss import loss
from mnist_jax.network import Params

# (params, images, targets) -> (loss, gradient): the loss a scalar, the mean over the batch; the
# gradient with exactly the structure, shapes and dtype of params.
ValueAndGrad = Callable[
    [Params, Float[Array, "batch inputs"], Float[Array, "batch outputs"]],
    tuple[Float[Array, ""], Params],
]


def autodiff(architecture: Architecture) -> ValueAndGrad:
    """Loss and gradient by reverse-mode differentiation of `loss`."""
    return jax.value_and_grad(partial(loss, architecture))


GRADIENTS: dict[str, Callable[[Architecture], ValueAndGrad]] = {"autodiff": autodiff}


def value_and_grad(config: Config) -> ValueAndGrad:
    """The function that `--gradient` names, for the config's architecture."""
    return GRADIENTS[config.gradient](config.architecture)
