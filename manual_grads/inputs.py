"""The border of the handwritten gradient: what it may be given."""

import jax
import numpy as np

from manual_grads.architecture import Architecture
from manual_grads.network import Params
from manual_grads.options import InputError


class InputsError(InputError):
    """Parameters, images or targets that do not fit the architecture, or each other."""


def check_inputs(architecture: Architecture, params: Params, images, targets) -> None:
    """Raises `InputsError` unless shapes fit and every parameter is finite.

    `images` must be `[batch, inputs]` and `targets` `[batch, outputs]`; `params` must have the
    leaves of the architecture and no other, as `mnist_jax.network` describes them.
    """
    sizes = architecture.layer_sizes
    shapes = [{} for _ in sizes]
    for layer, units in enumerate(sizes):
        if layer > 0:
            shapes[layer]["weight"] = (units, sizes[layer - 1])
        if architecture.has_bias(layer):
            shapes[layer]["bias"] = (units,)
    arrived = jax.tree.map(np.shape, params)
    if arrived != shapes:
        raise InputsError(
            f"params must have the leaves and shapes {shapes}",
            str(arrived),
            "a list with one dict a layer, layer 0 first, and no leaf for a bias that is off",
        )
    batch = np.shape(images)[0] if np.ndim(images) > 0 else 0
    for name, array, width in (("images", images, sizes[0]), ("targets", targets, sizes[-1])):
        if batch == 0 or np.shape(array) != (batch, width):
            raise InputsError(
                f"{name} must be of shape [batch, {width}], of one batch of at least 1 example",
                f"images {np.shape(images)} and targets {np.shape(targets)}",
                "a row an example, in both; labels as one-hot rows",
            )
    for path, leaf in jax.tree.leaves_with_path(params):
        if not np.all(np.isfinite(leaf)):
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            index = tuple(int(axis[0]) for axis in np.nonzero(~np.isfinite(leaf)))
            raise InputsError(
                "params must be finite",
                f"{name}{list(index)} = {np.asarray(leaf)[index]}",
                "the step before, for a training that blew up; a smaller learning rate",
            )
