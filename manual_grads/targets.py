"""Targets: the values with which the loss compares the network's outputs."""

import jax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Integer

from manual_grads.architecture import Architecture


def targets(
    architecture: Architecture, labels: Integer[Array, " batch"], dtype: DTypeLike
) -> Float[Array, "batch outputs"]:
    """The targets `(1 − ε)·y + ε/K` of K classes: `y` is one-hot, and ε is `label_smoothing`.

    >>> network = Architecture(layer_sizes=(784, 9, 2), label_smoothing=0.5)
    >>> targets(network, jax.numpy.array([1, 0]), "float32").tolist()
    [[0.25, 0.75], [0.75, 0.25]]
    """
    classes = architecture.layer_sizes[-1]
    smoothing = architecture.label_smoothing
    return (1 - smoothing) * jax.nn.one_hot(labels, classes, dtype=dtype) + smoothing / classes
