"""Draws the figures of a run with matplotlib. A figure depends only on its function's arguments."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mnist_jax import runs
from mnist_jax.data import Examples
from mnist_jax.model import Recognition

DPI = 110
LIGHTLY_COMPRESSED = {"compress_level": 1}
"""Pillow's fastest compression of PNG. The files are about a tenth larger than with its default."""

SHOWN_UNITS = 64
SHOWN_MISTAKES = 25
AS_IT_IS: dict[str, Any] = {"aspect": "auto", "interpolation": "nearest"}
"""Options of images in axes of fixed size. Automatic layout would double the drawing time."""


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


def first_layer(weight: Float[np.ndarray, "units pixels"], side: int = 28) -> Figure:
    """The weights into each unit of layer 1 as an image: 64 units at most, largest norm first."""
    order = np.argsort(-np.linalg.norm(weight.astype(np.float64), axis=1), kind="stable")[
        :SHOWN_UNITS
    ]
    columns = min(len(order), 8)
    mosaic = _mosaic(weight[order].reshape(-1, side, side), columns, above=1)
    limit = float(np.quantile(np.abs(weight[order]), 0.995)) or 1.0
    height, width = np.array(mosaic.shape) * 3 / DPI
    figure = Figure(figsize=(width + 1.2, height + 0.4))
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0, top=height / (height + 0.4))
    axes = figure.subplots()
    axes.set_axis_off()
    image = axes.imshow(mosaic, cmap="RdBu_r", vmin=-limit, vmax=limit, **AS_IT_IS)
    share = 1.1 / (width + 1.2)
    figure.colorbar(
        image,
        ax=axes,
        label="weight",
        shrink=0.6,
        extend="both",
        fraction=share,
        pad=0.01,
        aspect=0.6 * height / 0.2,
    )
    axes.set_title(f"weights into layer 1: {len(order)} of {len(weight)} units", fontsize="medium")
    return figure


def _mosaic(
    images: Shaped[np.ndarray, "images side side"], columns: int, above: int
) -> Float[np.ndarray, "height width"]:
    """The images in `columns` columns, each with a white border: `above` pixels on top, else 1."""
    side, rows = images.shape[-1], -(-len(images) // columns)
    tiles = np.full((max(rows, 1) * columns, above + side + 1, side + 2), np.nan)  # drawn as white
    tiles[: len(images), above:-1, 1:-1] = images
    rows_first = tiles.reshape(-1, columns, *tiles.shape[1:]).swapaxes(1, 2)
    return rows_first.reshape(-1, columns * (side + 2))


def mistakes(examples: Examples, outputs: Float[np.ndarray, "examples classes"]) -> Figure:
    """The wrong answers with the highest confidence, at most 25.

    The confidence is the softmax probability of the network's answer, for both losses.
    """
    exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    confidence = (exponentials / exponentials.sum(axis=1, keepdims=True)).max(axis=1)
    answers = outputs.argmax(axis=1)
    wrong = np.flatnonzero(answers != examples.labels)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:SHOWN_MISTAKES]
    columns, side, above = 5, examples.images.shape[-1], 7
    mosaic = _mosaic(examples.images[shown], columns, above)
    height, width = np.array(mosaic.shape) * 5 / DPI
    figure = Figure(figsize=(width, height + 0.4))
    figure.subplots_adjust(left=0, right=1, bottom=0, top=height / (height + 0.4))
    axes = figure.subplots()
    axes.set_axis_off()
    axes.imshow(mosaic, cmap="gray_r", vmin=0, vmax=255, **AS_IT_IS)
    for place, index in enumerate(shown):
        row, column = divmod(place, columns)
        guess = f"guess {answers[index]} ({confidence[index]:.0%}), is {examples.labels[index]}"
        middle, top = (column + 0.5) * (side + 2), row * (above + side + 1) + above - 1.5
        axes.text(middle, top, guess, fontsize=8.5, ha="center", va="bottom")
    figure.suptitle(f"the most confident mistakes: {len(shown)} of {len(wrong)}", fontsize="medium")
    return figure


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


def write(workdir: Path, figures: dict[str, Figure]) -> None:
    """Writes each figure as PNG into `workdir`. The keys of `figures` are the file names."""
    for name, figure in figures.items():
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=DPI, pil_kwargs=LIGHTLY_COMPRESSED)
        runs.write(workdir / name, picture.getvalue())
