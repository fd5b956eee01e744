"""Converts a picture of a digit into an image like MNIST's."""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy import ndimage

from mnist_jax.pictures import ink

LOOKED_AT = 240
"""A picture is reduced to at most this many pixels per side before the digit is sought."""

BOX, FIELD = 20, 28
"""MNIST's digits are scaled into a square of 20×20 and placed in a square of 28×28."""

THINNEST = 2.0
"""The minimum width of strokes in 28×28, in pixels. Thinner strokes are thickened to it."""


def network_image(image: Image.Image, clean: bool = False) -> UInt8[np.ndarray, "28 28"] | None:
    """The digit as an image like MNIST's, or None if the picture does not show a single digit.

    `image` has any mode, with dark ink on light paper or light ink on dark paper. The digit is
    scaled into 20×20 with its aspect ratio kept, and placed in 28×28 with its centre of mass in the
    middle. The background is 0 and the ink is 255. `clean` promises dark ink on light paper without
    noise; the search is then much faster.
    """
    found = _look(ink.grey(image), clean)
    return placed(scaled(found)) if found is not None and found.single else None


def thumbnail(image: Image.Image) -> Float[np.ndarray, "height width"]:
    """The picture upright and in grey, from 0 to 1, at most 240 pixels wide and high."""
    return _reduced(ink.grey(image))


def _reduced(picture: Image.Image) -> Float[np.ndarray, "height width"]:
    shrink = max(max(picture.size) / LOOKED_AT, 1)
    width, height = (max(round(side / shrink), 1) for side in picture.size)
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX))


def _look(picture: Image.Image, clean: bool) -> ink.Ink | None:
    """Finds the ink. If it is in a small part of the picture, repeats the search in that part."""
    shrink = max(max(picture.size) / LOOKED_AT, 1)
    found = ink.find(_reduced(picture), clean)
    if found is None or not found.single:
        return found
    rows, columns = found.box
    margin = max(rows.stop - rows.start, columns.stop - columns.start) / 2
    around = (
        columns.start - margin,
        rows.start - margin,
        columns.stop + margin,
        rows.stop + margin,
    )
    left, top, right, bottom = (round(side * shrink) for side in around)
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, picture.width), min(bottom, picture.height)
    if shrink > 1 and max(right - left, bottom - top) < 0.6 * max(picture.size):
        return _look(picture.crop((left, top, right, bottom)), clean)
    return found


def scaled(digit: ink.Ink) -> Float[np.ndarray, "height width"]:
    """The digit, cropped and scaled until its longer side is 20 pixels; values from 0 to 1."""
    density = digit.density[digit.box]
    thicker = (THINNEST * max(density.shape) / BOX - digit.width) / 2
    if thicker > 0.5:  # the strokes are thinner than any of MNIST's
        reach = int(np.ceil(thicker))
        y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
        density = np.pad(density, reach)
        density = ndimage.grey_dilation(density, footprint=x**2 + y**2 <= thicker**2)
    cropped = Image.fromarray(density)
    shrink = max(cropped.size) / BOX
    width, height = (max(round(side / shrink), 1) for side in cropped.size)
    return np.asarray(cropped.resize((width, height), Image.Resampling.BOX))


def placed(digit: Float[np.ndarray, "height width"]) -> UInt8[np.ndarray, "28 28"]:
    """The digit in 28×28, moved by whole pixels so that its centre of mass is in the middle."""
    field = np.zeros((FIELD, FIELD), np.float32)
    centre = ndimage.center_of_mass(digit)
    top, left = (
        int(np.clip(np.ceil(FIELD / 2 - 0.5 - middle), 0, FIELD - size))
        for middle, size in zip(centre, digit.shape, strict=True)
    )
    field[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return np.rint(255 * field).astype(np.uint8)
