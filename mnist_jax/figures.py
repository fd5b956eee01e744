"""Draws the figures of a run. A figure depends only on its function's arguments.

matplotlib draws the charts. Pillow draws the mosaics of images, in a fifth of matplotlib's time.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont

from mnist_jax import runs
from mnist_jax.data import Examples
from mnist_jax.model import Recognition

DPI = 110
LIGHTLY_COMPRESSED = {"compress_level": 1}
"""Pillow's fastest PNG compression; the files are about a tenth larger than with its default."""

SHOWN_UNITS, UNIT_SCALE = 64, 3
SHOWN_MISTAKES, MISTAKE_SCALE = 25, 5
"""The maximum number of images in a figure, and the factor by which each image is enlarged."""

HEADING, CAPTION = 16, 13
"""Font sizes in pixels."""

STRIP = 36
"""The height of the strips above and below the images, for the title and the colour scale."""

BLUE_TO_RED = np.array([[5, 48, 97], [67, 147, 195], [247, 247, 247], [214, 96, 77], [103, 0, 31]])
"""The colours, in RGB, of the weights from the smallest to the largest; 0 is nearly white."""

Colours = UInt8[np.ndarray, "*any 3"]


def learning_curve(history: list[dict[str, Any]]) -> Figure:
    """The loss and the percentage of wrong answers on training and test examples, by epoch."""
    figure = Figure(figsize=(8, 3.4))
    figure.subplots_adjust(left=0.09, right=0.98, bottom=0.15, top=0.88, wspace=0.25)
    loss, errors = figure.subplots(1, 2)
    epochs = [metrics["epoch"] for metrics in history]
    styles = {"train": {"color": "tab:orange", "linestyle": "--", "marker": "s"}}
    styles["test"] = {"color": "tab:blue", "linestyle": "-", "marker": "o"}
    for part, style in styles.items():
        loss.plot(epochs, [m[f"{part}_loss"] for m in history], label=part, ms=4, **style)
        wrong = [100 * (1 - m[f"{part}_accuracy"]) for m in history]
        errors.plot(epochs, wrong, label=part, ms=4, **style)
    loss.set_ylabel("loss (mean over examples)")
    errors.set_ylabel("wrong answers (%)")
    accuracy = f"{history[-1]['test_accuracy']:.2%}"
    figure.suptitle(f"test accuracy after the last epoch: {accuracy}", fontsize="medium")
    for axes in (loss, errors):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        axes.set_ylim(0, 1.08 * axes.dataLim.ymax or None)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def first_layer(weight: Float[np.ndarray, "units pixels"], side: int = 28) -> Image.Image:
    """The weights into each unit of layer 1 as an image: 64 units at most, largest norm first.

    The colour scale is symmetric about 0. One weight in 200 is clipped to an end of the scale.
    """
    order = np.argsort(-np.linalg.norm(weight.astype(np.float64), axis=1), kind="stable")
    shown = weight[order[:SHOWN_UNITS]]
    limit = float(np.quantile(np.abs(shown), 0.995)) or 1.0
    images = _in_colour(shown.reshape(-1, side, side) / limit)
    title = f"weights into layer 1: {len(shown)} of {len(weight)} units"
    picture, pen = _picture(_mosaic(images, min(len(shown), 8), 1, UNIT_SCALE), title, STRIP)
    left, width, middle = 70, 120, picture.height - STRIP // 2
    scale = _in_colour(np.linspace(-1, 1, width)[None].repeat(14, 0))
    picture.paste(Image.fromarray(scale), (left, middle - 7))
    font = ImageFont.load_default(CAPTION)
    pen.text((left - 6, middle), f"{-limit:.2g}", "black", font, "rm")
    pen.text((left + width + 6, middle), f"{limit:.2g}", "black", font, "lm")
    return picture


def mistakes(examples: Examples, outputs: Float[np.ndarray, "examples classes"]) -> Image.Image:
    """The wrong answers with the highest confidence, at most 25.

    The confidence is the softmax probability of the network's answer, for both losses.
    """
    exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    confidence = (exponentials / exponentials.sum(axis=1, keepdims=True)).max(axis=1)
    answers = outputs.argmax(axis=1)
    wrong = np.flatnonzero(answers != examples.labels)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:SHOWN_MISTAKES]
    ink = 255 - examples.images[shown, :, :, None].repeat(3, -1)
    columns, side, above = 5, examples.images.shape[-1], 4
    title = f"the most confident mistakes: {len(shown)} of {len(wrong)}"
    picture, pen = _picture(_mosaic(ink, columns, above, MISTAKE_SCALE), title)
    font = ImageFont.load_default(CAPTION)
    for place, index in enumerate(shown):
        row, column = divmod(place, columns)
        middle, bottom = (column + 0.5) * (side + 2), row * (above + side + 1) + above
        at = MISTAKE_SCALE * middle, STRIP + MISTAKE_SCALE * bottom - 2
        guess = f"guess {answers[index]} ({confidence[index]:.0%}), is {examples.labels[index]}"
        pen.text(at, guess, "black", font, "mb")
    return picture


def _in_colour(values: Float[np.ndarray, "*any"]) -> Colours:
    """The colour of each value, where -1 and below is dark blue, and 1 and above dark red."""
    places = np.linspace(-1, 1, len(BLUE_TO_RED))
    parts = [np.interp(values, places, part) for part in BLUE_TO_RED.T]
    return np.stack(parts, axis=-1).astype(np.uint8)


def _mosaic(
    images: UInt8[np.ndarray, "images side side 3"], columns: int, above: int, scale: int
) -> UInt8[np.ndarray, "height width 3"]:
    """The images in `columns` columns, each pixel a square of `scale` pixels.

    Each image gets a white border before it is enlarged: `above` pixels at the top, else 1.
    """
    side, rows = images.shape[1], max(-(-len(images) // columns), 1)
    tiles = np.full((rows * columns, above + side + 1, side + 2, 3), 255, np.uint8)
    tiles[: len(images), above:-1, 1:-1] = images
    grid = tiles.reshape(rows, columns, *tiles.shape[1:]).swapaxes(1, 2)
    whole = grid.reshape(rows * (above + side + 1), columns * (side + 2), 3)
    return whole.repeat(scale, 0).repeat(scale, 1)


def _picture(
    mosaic: UInt8[np.ndarray, "height width 3"], title: str, below: int = 0
) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A white picture with the title and the mosaic, and a pen that draws on it."""
    font, (height, width) = ImageFont.load_default(HEADING), mosaic.shape[:2]
    size = max(width, int(font.getlength(title)) + 20), STRIP + height + below
    picture = Image.new("RGB", size, "white")
    picture.paste(Image.fromarray(mosaic), (0, STRIP))
    pen = ImageDraw.Draw(picture)
    pen.text((size[0] / 2, STRIP / 2), title, "black", font, "mm")
    return picture, pen


def digits(rows: list[dict[str, Any]]) -> Figure:
    """For each digit, 1 − recall and 1 − precision, in percent."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows))
    for offset, name, label, colour, hatch in (
        (-0.2, "recall", "the digit, read as another", "tab:blue", ""),
        (0.2, "precision", "another, read as the digit", "tab:orange", "//"),
    ):
        wrong = [100 * (1 - row[name]) for row in rows]
        place = places + offset
        axes.bar(place, wrong, 0.38, label=label, color=colour, hatch=hatch, edgecolor="white")
    axes.set_xticks(places, [f"{row['digit']}" for row in rows])
    axes.set_xlabel("digit")
    axes.set_ylabel("wrong answers (%)")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.legend()
    return figure


def confusion(counts: Int[np.ndarray, "label answer"]) -> Figure:
    """The confusion matrix: every count above 0 is printed, and only mistakes are coloured."""
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    mistakes = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    image = axes.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(mistakes.max(), 1))
    for (digit, answer), count in np.ndenumerate(counts):
        if count:
            dark = digit != answer and count > 0.6 * mistakes.max()
            colour = "white" if dark else "black"
            axes.text(answer, digit, str(count), ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(counts)))
    axes.set_yticks(range(len(counts)))
    axes.set_xlabel("read as")
    axes.set_ylabel("digit")
    whole = MaxNLocator(integer=True)
    figure.colorbar(image, ax=axes, label="mistakes (examples)", shrink=0.8, ticks=whole)
    return figure


def recognised(
    pictures: Sequence[Float[np.ndarray, "_h _w"]], seen: Sequence[Recognition]
) -> Figure:
    """One row for each picture: the picture, the network's 28×28 image, and the probabilities."""
    figure = Figure(figsize=(7.5, 2.3 * len(pictures)), layout="constrained")
    rows = figure.subplots(len(pictures), 3, squeeze=False)
    for (left, middle, right), picture, each in zip(rows, pictures, seen, strict=True):
        left.imshow(picture, cmap="gray", vmin=0, vmax=1)
        left.set_title("picture", fontsize="medium")
        for axes in (left, middle):
            axes.set_axis_off()
        if each.image is None or each.probabilities is None:
            right.set_axis_off()
            middle.text(0.5, 0.5, "no single digit is seen", ha="center", va="center")
            continue
        middle.imshow(each.image, cmap="gray", vmin=0, vmax=255)
        middle.set_title("what the network sees", fontsize="medium")
        right.bar(range(len(each.probabilities)), each.probabilities)
        right.set_xticks(range(len(each.probabilities)))
        right.set_ylim(0, 1)
        right.set_title(f"probabilities: {each.digit}", fontsize="medium")
    return figure


def write(workdir: Path, figures: Mapping[str, Figure | Image.Image]) -> None:
    """Writes each figure as PNG into `workdir`. The keys of `figures` are the file names."""
    for name, figure in figures.items():
        file = io.BytesIO()
        if isinstance(figure, Figure):
            figure.savefig(file, format="png", dpi=DPI, pil_kwargs=LIGHTLY_COMPRESSED)
        else:
            figure.save(file, format="png", **LIGHTLY_COMPRESSED)
        runs.write(workdir / name, file.getvalue())
