"""Draws strokes as a picture, and converts the picture into the input image of the network."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from mnist_jax.pictures import network_image

SIDE, PEN = 280, 20
"""The drawing area is a square with coordinates from 0 to `SIDE`; `PEN` is the pen's width."""

MARGIN = 44
"""The width of the white margin around the drawing area. With it, no stroke touches the edge."""

REDUCED = 4
"""The drawn picture is reduced by this factor, so that its edges are smooth."""

Strokes = list[list[tuple[int, int]]]


def network_pixels(strokes: Strokes) -> UInt8[np.ndarray, "28 28"] | None:
    """The drawing as an image like MNIST's, or None if the drawing shows no single digit."""
    return network_image(drawn(strokes), clean=True) if strokes else None


def drawn(strokes: Strokes) -> Image.Image:
    """The strokes in black ink on white paper, with round ends and corners."""
    side = SIDE + 2 * MARGIN
    picture = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(picture)
    for stroke in strokes:
        points = [(x + MARGIN, y + MARGIN) for x, y in stroke]
        pen.line(points, fill=0, width=PEN)
        for point in points:
            pen.circle(point, (PEN - 1) / 2, fill=0)  # Pillow's diameter is 2 · radius + 1
    return picture.reduce(REDUCED)
