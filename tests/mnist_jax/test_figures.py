"""The figures show the numbers from which they are made."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

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


@pytest.fixture
def texts(monkeypatch):
    """The position and text of each text that Pillow draws."""
    drawn = []

    def text(pen, at, words, *style):
        drawn.append((at, words))
        draw(pen, at, words, *style)

    draw = ImageDraw.ImageDraw.text
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return drawn


@pytest.mark.parametrize(("units", "shown"), [(1, 1), (10, 10), (100, 64)])
def test_the_first_layer_shows_the_largest_weights_first(units, shown, texts):
    """Units are sorted by norm, images are upright, and the colour scale is symmetric about 0."""
    pattern = np.repeat(np.array([1, -0.5, 0, -1], np.float32), 196)  # seven rows of each
    weight = np.arange(1, units + 1, dtype=np.float32)[:, None] * pattern
    picture = np.asarray(figures.first_layer(weight))
    title, *ends = [words for _, words in texts]
    assert title == f"weights into layer 1: {shown} of {units} units"
    assert ends == [f"{-units:.2g}", f"{units:.2g}"]
    red, blue = ([103, 0, 31], [5, 48, 97])
    first = picture[36 + 3 : 36 + 29 * 3, 3 : 29 * 3]
    assert (first[:21] == red).all()
    assert (first[21:42, :, 2] > first[21:42, :, 0]).all()  # rather blue
    assert (first[42:63] == 247).all()
    assert (first[63:] == blue).all()
    assert (picture[36:39, : 30 * 3] == 255).all()
    if units > 1:
        second = picture[36 + 3 : 36 + 29 * 3, 31 * 3 : 59 * 3]
        share = 2 * (units - 1) / units - 1  # of the way from the colour of 0.5 to that of 1
        expected = np.array([214.0, 96.0, 77.0]) * (1 - share) + np.array(red, float) * share
        np.testing.assert_allclose(second[:21], np.broadcast_to(expected, (21, 84, 3)), atol=1)
    scale = picture[-18, 70 : 70 + 120]
    assert scale[0].tolist() == blue
    assert scale[-1].tolist() == red


def test_weights_that_are_all_0_are_nearly_white():
    picture = np.asarray(figures.first_layer(np.zeros((1, 784), np.float32)))
    assert (picture[39:120, 3:87] == 247).all()


def outputs_for(answers, confidence):
    outputs = np.zeros((len(answers), 10), np.float32)
    outputs[np.arange(len(answers)), answers] = confidence
    return outputs


def test_mistakes_show_the_most_confident_first(texts):
    labels = np.array([1, 2, 3, 4], np.uint8)
    images = 60 * np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)
    outputs = outputs_for([1, 7, 8, 9], [9.0, 1.0, 3.0, 2.0])
    picture = np.asarray(figures.mistakes(Examples(images, labels), outputs))
    title, *captions = texts
    assert title[1] == "the most confident mistakes: 3 of 3"
    shares = [f"{np.exp(c) / (np.exp(c) + 9):.0%}" for c in (3.0, 2.0, 1.0)]
    assert [words for _, words in captions] == [
        f"guess {guess} ({share}), is {label}"
        for guess, share, label in zip((8, 9, 7), shares, (3, 4, 2), strict=True)
    ]
    top, side = 36 + 4 * 5, 28 * 5
    assert picture.shape == (top + side + 5, 5 * 30 * 5, 3)  # one row is enough for three images
    for ((x, above), _), value in zip(captions, (120, 180, 60), strict=True):
        left = int(x) - side // 2
        assert (picture[top : top + side, left : left + side] == 255 - value).all()
        assert 36 < above < top  # above the image


def test_mistakes_show_25_at_most_and_none_where_all_is_right(texts):
    examples = Examples(np.full((40, 28, 28), 255, np.uint8), np.zeros(40, np.uint8))
    wrong = np.asarray(figures.mistakes(examples, outputs_for([1] * 40, np.arange(1.0, 41.0))))
    assert "25 of 40" in texts[0][1]
    assert len(texts) == 1 + 25
    assert (wrong[-6] == 0).any()
    texts.clear()
    right = np.asarray(figures.mistakes(examples, outputs_for([0] * 40, np.arange(1.0, 41.0))))
    assert len(texts) == 1
    assert (right[36:] == 255).all()


def test_each_figure_is_written_as_png(tmp_path):
    images = figures.first_layer(np.ones((2, 784), np.float32))
    figures.write(tmp_path, {"curve.png": figures.learning_curve(history(2)), "l.png": images})
    for name in ("curve.png", "l.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG"
            assert np.asarray(picture).std() > 0
