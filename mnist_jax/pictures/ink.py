"""The ink of a picture: the background removed, dark on light or light on dark."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from PIL import Image, ImageOps
from scipy import ndimage

EIGHT = np.ones((3, 3), bool)
"""Pixels that touch at a corner are connected."""


class Ink(NamedTuple):
    """The digit of a picture: `density` is 1 in the ink, and 0 in the background."""

    density: Float[np.ndarray, "height width"]
    mask: Bool[np.ndarray, "height width"]
    box: tuple[slice, slice]
    contrast: float


def grey(image: Image.Image) -> Image.Image:
    """The picture as luminance from 0 to 1, upright, in mode `F`. Transparent parts are paper."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):  # 16 bits and more: the unit is unknown
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


def find(values: Float[np.ndarray, "height width"]) -> Ink | None:
    """The ink of the one digit that the picture shows, or None if it does not show one digit."""
    longer = max(values.shape)
    smooth = ndimage.gaussian_filter(values, longer / 500) if longer > 60 else values
    window = (longer // 3 | 1,) * 2
    without_dark = ndimage.grey_closing(smooth, window)
    without_light = ndimage.grey_opening(smooth, window)
    if _variation(without_dark) < _variation(without_light):
        return _dark(smooth, without_dark)
    return _dark(1 - smooth, 1 - without_light)


def _variation(surface: Float[np.ndarray, "height width"]) -> float:
    return float(sum(abs(np.diff(surface, axis=axis)).sum() for axis in (0, 1)))


def _dark(
    smooth: Float[np.ndarray, "height width"], background: Float[np.ndarray, "height width"]
) -> Ink | None:
    """The ink, if it is darker than the background."""
    contrast = (background - smooth) / (background + 0.1)
    low = np.median(contrast)
    noise = 1.4826 * np.median(abs(contrast - low))
    candidates = contrast[contrast > low + 5 * noise + 0.03]
    if not candidates.size:
        return None
    high = np.quantile(candidates, 0.9)
    density = ((contrast - low) / (high - low)).clip(0, 1)
    mask = _digit(density > np.clip(6 * noise / (high - low), 0.1, 0.35))
    if mask is None:
        return None
    density = np.where(
        ndimage.binary_dilation(mask, EIGHT, iterations=1 + max(smooth.shape) // 100), density, 0
    )
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Ink(density, mask, box, high - low)


def _heights(labels: Int[np.ndarray, "height width"]) -> Int[np.ndarray, " parts"]:
    """The height of each labelled part."""
    boxes = [box for box in ndimage.find_objects(labels) if box is not None]
    return np.array([rows.stop - rows.start for rows, _ in boxes])


def _digit(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"] | None:
    """The parts that belong to the one digit, or None."""
    labels, count = ndimage.label(mask, EIGHT)
    if not count:
        return None
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    inner = np.setdiff1d(np.arange(1, count + 1), edge)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    if inner.size and areas[inner].max() >= 9:
        mask = np.isin(labels, inner)
        labels, count = ndimage.label(mask, EIGHT)
        areas = np.bincount(labels.ravel(), minlength=count + 1)
    heights = _heights(labels)
    gap = 0.1 * heights.max()
    near = ndimage.distance_transform_edt(~mask) <= gap / 2
    groups, count = ndimage.label(near, EIGHT)
    groups = np.where(mask, groups, 0)
    heights = _heights(groups)
    if (heights >= 0.5 * heights.max()).sum() > 1:
        return None
    main = 1 + np.bincount(groups[mask] - 1).argmax()
    return groups == main
