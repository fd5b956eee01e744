"""The figures show the numbers from which they are made."""

import numpy as np
import pytest

from mnist_jax import figures
from mnist_jax.data import Examples


def history(epochs):
    return [
        {
            "epoch": epoch,
            "train_loss": 1 / epoch,
            "test_loss": 1.1 / epoch,
            "train_accuracy": 1 - 0.1 / epoch,
            "test_accuracy": 1 - 0.2 / epoch,
        }
        for epoch in range(1, epochs + 1)
    ]


@pytest.mark.parametrize("epochs", [1, 5])
def test_the_learning_curve_has_loss_and_wrong_answers_over_epochs(epochs):
    loss, wrong = figures.learning_curve(history(epochs)).axes
    assert loss.get_xlabel() == wrong.get_xlabel() == "epoch"
    lines = {
        (axes.get_ylabel(), line.get_label()): np.asarray(line.get_ydata())
        for axes in (loss, wrong)
        for line in axes.lines
    }
    assert len(lines) == 4
    np.testing.assert_allclose(lines["wrong answers (%)", "test"][0], 20)
    np.testing.assert_allclose(lines["loss (mean over examples)", "train"][0], 1)
    for axes in (loss, wrong):
        for line in axes.lines:
            assert np.asarray(line.get_xdata()).tolist() == list(range(1, epochs + 1))
        low, high = axes.get_xlim()
        assert {x for x in axes.get_xticks() if low <= x <= high} == set(range(1, epochs + 1))
    assert f"{1 - 0.2 / epochs:.2%}" in loss.figure.get_suptitle()
    train, test = loss.lines
    assert train.get_linestyle() != test.get_linestyle()  # distinguishable without colour


@pytest.mark.parametrize(("units", "shown"), [(1, 1), (10, 10), (100, 64)])
def test_the_first_layer_shows_the_largest_weights_first(units, shown):
    """Units are sorted by norm, images are upright, and the colour scale is symmetric about 0."""
    pattern = np.linspace(-1.5, 0.5, 784, dtype=np.float32)
    weight = np.arange(1, units + 1, dtype=np.float32)[:, None] * pattern
    axes = figures.first_layer(weight).axes[0]
    assert f"{shown} of {units} units" in axes.get_title()
    image = axes.images[0]
    mosaic = np.ma.getdata(np.ma.asarray(image.get_array()))
    np.testing.assert_array_equal(mosaic[1:29, 1:29], units * pattern.reshape(28, 28))
    assert np.isnan(mosaic[0]).all()
    low, high = image.get_clim()
    assert low == -high < 0


def outputs_for(answers, confidence):
    outputs = np.zeros((len(answers), 10), np.float32)
    outputs[np.arange(len(answers)), answers] = confidence
    return outputs


def test_mistakes_show_the_most_confident_first():
    labels = np.array([1, 2, 3, 4], np.uint8)
    images = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)
    examples = Examples(images, labels)
    outputs = outputs_for([1, 7, 8, 9], [9.0, 1.0, 3.0, 2.0])
    figure = figures.mistakes(examples, outputs)
    (axes,) = figure.axes
    titles = [text.get_text() for text in axes.texts]
    shares = [f"{np.exp(c) / (np.exp(c) + 9):.0%}" for c in (3.0, 2.0, 1.0)]
    assert titles == [
        f"guess {guess} ({share}), is {label}"
        for guess, share, label in zip((8, 9, 7), shares, (3, 4, 2), strict=True)
    ]
    assert "3 of 3" in figure.get_suptitle()
    mosaic = np.asarray(axes.images[0].get_array())
    assert mosaic.shape == (7 + 28 + 1, 5 * 30)  # one row is enough for three images
    for text, value in zip(axes.texts, (2, 3, 1), strict=True):
        x, above = text.get_position()
        assert (mosaic[7:35, int(x) - 14 : int(x) + 14] == value).all()
        assert above < 7  # above the image


def test_mistakes_show_25_at_most_and_none_where_all_is_right():
    examples = Examples(np.zeros((40, 28, 28), np.uint8), np.zeros(40, np.uint8))
    wrong = figures.mistakes(examples, outputs_for([1] * 40, np.arange(1.0, 41.0)))
    right = figures.mistakes(examples, outputs_for([0] * 40, np.arange(1.0, 41.0)))
    assert "25 of 40" in wrong.get_suptitle()
    assert len(wrong.axes[0].texts) == 25
    mosaic = np.asarray(right.axes[0].images[0].get_array())
    assert not right.axes[0].texts
    assert np.isnan(mosaic.astype(float)).all()


def test_each_figure_is_written_as_png(tmp_path):
    figures.write(tmp_path, {"curve.png": figures.learning_curve(history(2))})
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
