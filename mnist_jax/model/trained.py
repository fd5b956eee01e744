"""A trained network that classifies images."""

from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy.typing import ArrayLike
from PIL import Image

from manual_grads.cli import InputError
from mnist_jax import pictures
from mnist_jax.config import PIXELS, Config
from mnist_jax.model.network import Params, forward

IMAGE_SHAPES = ((28, 28), (PIXELS,))


class ImagesError(InputError):
    """Images whose shape, dtype or values the network does not accept."""


class Recognition(NamedTuple):
    """The digit in a picture. Every field is None if the picture does not show a single digit.

    `image` is the digit in MNIST's form, which is the network's input.
    """

    digit: int | None = None
    probabilities: Float[np.ndarray, " 10"] | None = None
    image: UInt8[np.ndarray, "28 28"] | None = None


class Model(NamedTuple):
    """A trained network: the configuration of its run, and its parameters.

    `predict` and `probabilities` take images like MNIST's, in which the background is 0. The values
    are `uint8` up to 255 or floating point up to 1. The shape is `[28, 28]` or `[784]`, or for n
    images `[n, 28, 28]` or `[n, 784]`. Both methods raise `ImagesError` for anything else.

    >>> import numpy as np, mnist_jax
    >>> model = mnist_jax.fit(mnist_jax.Config(dataset="digits", epochs=1))  # doctest: +ELLIPSIS
    reading digits...
    >>> model.predict(np.zeros((5, 28, 28), np.uint8)).shape
    (5,)
    >>> model.probabilities(np.zeros(784)).sum().round(3)
    np.float32(1.0)
    """

    config: Config
    params: Params

    def predict(self, images: ArrayLike) -> Int[np.ndarray, "*n"]:
        """The class, 0 to 9, with the largest output; shape `[n]`, or `[]` for a single image."""
        return np.asarray(self._outputs(images).argmax(axis=-1))

    def probabilities(self, images: ArrayLike) -> Float[np.ndarray, "*n 10"]:
        """The softmax of the outputs; shape `[n, 10]`, or `[10]` for a single image.

        The values estimate probabilities only if the network was trained with cross-entropy. After
        training with squared error, they only rank the classes.
        """
        return np.asarray(jax.nn.softmax(self._outputs(images)))

    def recognise(self, picture: str | Path | Image.Image) -> Recognition:
        """The digit in `picture`, which is a path or a Pillow image of any mode.

        `mnist_jax.pictures.network_image` converts the picture into the network's input.
        Raises `PictureError` for a file that cannot be read, and for a picture that is too small.
        """
        opened = isinstance(picture, Image.Image)
        read = pictures.require_size(picture) if opened else pictures.read(picture)
        image = pictures.network_image(read)
        if image is None:
            return Recognition()
        return Recognition(int(self.predict(image)), self.probabilities(image), image)

    def _outputs(self, images: ArrayLike) -> Float[np.ndarray, "*n 10"]:
        array = np.asarray(images)
        rows = _pixels(array).reshape(-1, PIXELS)
        outputs = np.asarray(_FORWARD(self.config.architecture, self.params, rows))
        return outputs[0] if array.shape in IMAGE_SHAPES else outputs


_FORWARD = jax.jit(forward, static_argnums=0)


def _pixels(images: np.ndarray) -> Float[np.ndarray, "*shape"]:
    """The images as float32 from 0 to 1. Raises `ImagesError`."""
    if images.shape not in IMAGE_SHAPES and images.shape[1:] not in IMAGE_SHAPES:
        raise ImagesError(
            "images must have the shape [28, 28] or [784], or [n, 28, 28] or [n, 784]",
            str([*images.shape]),
            "images of 28×28 pixels with one channel, without an axis for the channel",
        )
    if images.dtype == np.uint8:
        return images.astype(np.float32) / 255
    if not np.issubdtype(images.dtype, np.floating):
        raise ImagesError(
            "images must be uint8 from 0 to 255, or floating point from 0 to 1",
            str(images.dtype),
            "images.astype(np.uint8), if the values are from 0 to 255",
        )
    if not np.all((images >= 0) & (images <= 1)):
        raise ImagesError(
            "floating-point images must have values from 0 to 1",
            f"values from {images.min():g} to {images.max():g}",
            "images / 255, if the values are from 0 to 255",
        )
    return images.astype(np.float32)
