"""Checks of the arguments of the handwritten gradient."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.architecture import Architecture
from manual_grads.cli import InputError
from manual_grads.derivatives import network
from manual_grads.derivatives.network import Params
from manual_grads.leaves import named_leaves


class InputsError(InputError):
    """Parameters, images or targets that are invalid or do not fit the architecture."""


def check_inputs(architecture: Architecture, params: Any, images, targets) -> None:
    """Raises `InputsError` unless shapes and dtypes fit and every parameter is finite.

    `images` must be `[batch, inputs]`, and `targets` `[batch, outputs]`; both are floating-point.
    `params` must have exactly the leaves that `architecture.leaf_shapes()` lists.
    """
    sizes, shapes = architecture.layer_sizes, architecture.leaf_shapes()
    got = jax.tree.map(np.shape, params)
    if got != shapes:
        raise InputsError(
            f"params must have the leaves and shapes {shapes}",
            str(got),
            "a list with one dict per layer, layer 0 first, without the biases that are turned off",
        )
    batch = np.shape(images)[0] if np.ndim(images) > 0 else 0
    for name, array, width in (("images", images, sizes[0]), ("targets", targets, sizes[-1])):
        if batch == 0 or np.shape(array) != (batch, width):
            raise InputsError(
                f"{name} must have the shape [batch, {width}], and images and targets must have "
                "the same batch size, at least 1",
                f"images {np.shape(images)} and targets {np.shape(targets)}",
                "one row per example: images[None] for a single image, one-hot rows for labels",
            )
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise InputsError(
                f"{name} must be an array of floating point numbers",
                f"an array of {array.dtype}",
                "images / 255 for pixels, manual_grads.targets for labels",
            )
    for name, leaf in named_leaves(params).items():
        if not np.all(np.isfinite(leaf)):
            index = tuple(int(axis[0]) for axis in np.nonzero(~np.isfinite(leaf)))
            raise InputsError(
                "params must be finite",
                f"{name}{list(index)} = {np.asarray(leaf)[index]}",
                "the parameters of an earlier step, or a smaller learning rate",
            )


def value_and_grad(architecture: Architecture, params: Params, images, targets):
    """The mean loss of the batch, and its handwritten gradient in the structure of `params`.

    Raises `InputsError` as `check_inputs` does. The computation is compiled by `jax.jit`.

    >>> import jax.numpy as jnp
    >>> from manual_grads import Architecture, value_and_grad
    >>> network = Architecture(layer_sizes=(2, 1), biases=("output",), loss="squared_error",
    ...                        label_smoothing=0.0)
    >>> params = [{}, {"weight": jnp.array([[1.0, -1.0]]), "bias": jnp.array([0.5])}]
    >>> loss, gradient = value_and_grad(
    ...     network, params, jnp.array([[1.0, 0.5]]), jnp.array([[0.0]]))  # relu(1.0), target 0
    >>> float(loss), gradient[1]["weight"].tolist(), gradient[1]["bias"].tolist()
    (1.0, [[2.0, 1.0]], [2.0])
    """
    check_inputs(architecture, params, images, targets)
    return jax.jit(partial(network.value_and_grad, architecture))(params, images, targets)
