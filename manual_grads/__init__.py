"""The document's network and its handwritten derivatives."""

from functools import partial

import jax

from manual_grads import network
from manual_grads.architecture import Architecture
from manual_grads.checking import GradientError, check_gradient
from manual_grads.inputs import InputsError, check_inputs

__all__ = ["Architecture", "GradientError", "InputsError", "check_gradient", "value_and_grad"]


def value_and_grad(architecture: Architecture, params: network.Params, images, targets):
    """The loss, a mean over the batch, and its handwritten gradient in the structure of `params`.

    `network.value_and_grad` behind `check_inputs`, compiled. Raises `InputsError`.
    """
    check_inputs(architecture, params, images, targets)
    return jax.jit(partial(network.value_and_grad, architecture))(params, images, targets)
