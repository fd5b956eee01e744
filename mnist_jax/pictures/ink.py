"""Finds the ink of a picture, dark or light, and removes the background."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from PIL import Image, ImageOps
from scipy import ndimage

EIGHT = np.ones((3, 3), bool)
"""The neighbourhood of a pixel: pixels that touch at a corner are connected."""

GAP = 0.1
"""The minimum gap between two digits, as a fraction of the height of the taller digit."""


class Ink(NamedTuple):
    """The ink of a picture: `density` is 1 in the ink, and 0 in the background.

    `sharpness` is the 10 % quantile of the slope of the picture's logarithm at the ink's edge.
    `darker` is true if the ink's median is darker than the other pixels' median. It is false if
    paper between light strokes was mistaken for ink. `width` is the mean stroke width in pixels.
    """

    density: Float[np.ndarray, "height width"]
    mask: Bool[np.ndarray, "height width"]
    box: tuple[slice, slice]
    contrast: float
    sharpness: float
    darker: bool
    width: float
    single: bool


def grey(image: Image.Image) -> Image.Image:
    """The picture as luminance from 0 to 1, upright, in mode `F`. Transparent parts are paper."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):  # 16 bits and more: the value of white is unknown
        values = np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)
        low, high = values.min(), values.max()
        return Image.fromarray((values - low) / max(high - low, 1e-30))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"), np.float32) / 255
        shown = np.asarray(image.convert("RGB").convert("L"), np.float32) / 255
        mean = (shown * alpha).sum() / max(alpha.sum(), 1e-30)
        paper = float(mean < 0.5)
        return Image.fromarray(shown * alpha + paper * (1 - alpha))
    if image.mode == "LAB":
        return Image.fromarray(np.asarray(image.getchannel(0), np.float32) / 255)
    return Image.fromarray(np.asarray(image.convert("RGB").convert("L"), np.float32) / 255)


def find(values: Float[np.ndarray, "height width"], clean: bool = False) -> Ink | None:
    """The ink that looks most like a digit, or None if there is no ink.

    Dark and light ink are sought in the picture, and in a smoother copy. Ink in the copy may be
    texture of the paper, so its contrast must be above 0.25. A `clean` picture has dark ink on
    light paper without noise.
    """
    if clean:
        return _dark(values)
    longer = max(values.shape)
    fine = ndimage.gaussian_filter(values, longer / 500) if longer > 60 else values
    coarse = ndimage.gaussian_filter(values, longer / 100)
    found = [_dark(fine), _dark(1 - fine)]
    found += [ink for ink in (_dark(coarse), _dark(1 - coarse)) if ink and ink.contrast > 0.25]
    return max((ink for ink in found if ink is not None), key=_evidence, default=None)


def _evidence(ink: Ink) -> float:
    """The score of the ink: contrast · sharpness · length of the strokes / their width.

    Shadows have a low sharpness. The score is divided by 2 if not `single`, by 10 if not `darker`.
    """
    doubts = (1 if ink.single else 0.5) * (1 if ink.darker else 0.1)
    return float(ink.contrast * ink.mask.sum() / ink.width**2 * ink.sharpness * doubts)


def _closed(
    values: Float[np.ndarray, "height width"], window: int
) -> Float[np.ndarray, "height width"]:
    """The morphological closing; the edge pixels are repeated beyond the edge of the picture."""
    beyond = window // 2 + 1
    padded = np.pad(values, beyond, mode="edge")
    closed = ndimage.grey_closing(padded, (window, window), mode="nearest")
    return closed[beyond:-beyond, beyond:-beyond]


def _dark(smooth: Float[np.ndarray, "height width"]) -> Ink | None:
    """The ink that is darker than the background, or None if there is none."""
    longer = max(smooth.shape)
    background = _closed(smooth, longer // 3 | 1)
    contrast = (background - smooth) / (background + 0.1)
    low = np.median(contrast)
    noise = 1.4826 * np.median(abs(contrast - low))
    candidates = contrast[contrast > low + 5 * noise + 0.03]
    if not candidates.size:
        return None
    high = np.quantile(candidates, 0.9)
    if high - low < 7 * noise:
        return None
    density = ((contrast - low) / (high - low)).clip(0, 1)
    weak = np.clip(5 * noise / (high - low), 0.1, 0.4)
    if not (density > 0.4).any():
        return None
    mask, single = _digit(density > 0.4)
    reach = 1 + longer // 100
    mask = ndimage.binary_dilation(mask, EIGHT, iterations=reach) & (density > weak)
    density = np.where(mask, density, 0)
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    # In a stroke, the mean distance to the edge is a quarter of the width.
    depth = np.asarray(ndimage.distance_transform_edt(np.pad(mask[box], 1)))
    width = 4 * depth.sum() / max(mask.sum(), 1)
    darker = bool(np.median(smooth[mask]) < np.median(smooth[~mask]))
    core = density > 0.4
    edge = core & ~np.asarray(ndimage.binary_erosion(core, border_value=1), bool)
    log = np.log(smooth.clip(0.01))
    slope = np.asarray(ndimage.gaussian_gradient_magnitude(log, max(longer / 240, 0.5)))
    sharpness = np.quantile(slope[edge], 0.1) if edge.any() else 0.0
    return Ink(
        density, mask, box, float(high - low), float(sharpness), darker, float(width), single
    )


def _parts(mask: Bool[np.ndarray, "height width"]) -> tuple[Int[np.ndarray, "height width"], int]:
    """A label for each connected part, and their number."""
    labels = np.zeros(mask.shape, np.int32)
    return labels, int(np.asarray(ndimage.label(mask, EIGHT, output=labels)))


def _boxes(labels: Int[np.ndarray, "height width"]) -> Int[np.ndarray, "parts 4"]:
    """Top, bottom, left and right of each labelled part."""
    found = [box for box in ndimage.find_objects(labels) if box is not None]
    return np.array([(r.start, r.stop, c.start, c.stop) for r, c in found])


def _digit(
    mask: Bool[np.ndarray, "height width"],
) -> tuple[Bool[np.ndarray, "height width"], bool]:
    """The mask of the digit, or of several digits, and whether there is only one digit.

    There are several digits if two parts separated by `GAP` are at least two thirds as high as the
    highest part. Parts at the picture's edge are dropped, unless all other parts are very small.
    """
    labels, _ = _parts(mask)
    boxes = _boxes(labels)
    heights = boxes[:, 1] - boxes[:, 0]
    inner = (boxes[:, [0, 2]] > 0).all(1) & (boxes[:, [1, 3]] < mask.shape).all(1)
    if heights[inner].max(initial=0) >= 0.05 * max(mask.shape):
        labels = np.where(np.concatenate([[False], inner])[labels], labels, 0)
        mask = labels > 0
        heights = heights[inner]
    away = np.asarray(ndimage.distance_transform_edt(~mask))
    near = away <= GAP * heights.max() / 2
    groups, count = _parts(near)
    groups = np.where(mask, groups, 0)
    boxes = _boxes(groups)
    heights = boxes[:, 1] - boxes[:, 0]
    high = heights >= 2 / 3 * heights.max()
    if high.sum() > 1:
        return np.concatenate([[False], high])[groups], False
    main = heights.argmax()
    top, bottom, left, right = boxes[main]
    reach = 0.25 * heights[main]
    close = (
        (boxes[:, 1] > top - reach)
        & (boxes[:, 0] < bottom + reach)
        & (boxes[:, 3] > left - reach)
        & (boxes[:, 2] < right + reach)
    )
    areas = np.bincount(groups[mask], minlength=count + 1)[1:]
    return np.concatenate([[False], close & (areas >= 0.04 * areas[main])])[groups], True
