"""Strokes become the image that the network sees."""

import numpy as np
import pytest

from mnist_jax.page.drawing import MARGIN, PEN, REDUCED, SIDE, drawn, network_pixels
from tests.mnist_jax.page.strokes import DIGITS, PLACES, placed


def on_the_area(strokes):
    return [[(round(SIDE * x), round(SIDE * y)) for x, y in stroke] for stroke in strokes]


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_is_one_digit_wherever_it_is_drawn_and_moving_it_changes_nothing(digit):
    images = [network_pixels(on_the_area(placed(DIGITS[digit], *place))) for place in PLACES]
    assert all(image is not None and image.any() for image in images)
    moved = on_the_area(placed(DIGITS[digit], 0.5, 0, 0))
    moved = [[(x + 10 * REDUCED, y + 5 * REDUCED) for x, y in stroke] for stroke in moved]
    here = network_pixels(on_the_area(placed(DIGITS[digit], 0.5, 0, 0)))
    there = network_pixels(moved)
    assert here is not None
    assert there is not None
    assert np.array_equal(here, there)


def test_two_digits_and_no_ink_are_not_one_digit():
    apart = [*placed(DIGITS[1], 0.5, 0, 0), *placed(DIGITS[7], 0.5, 0.5, 0)]
    assert network_pixels(on_the_area(apart)) is None
    assert network_pixels([]) is None


def test_a_point_is_a_dot_of_the_pens_width_and_a_corner_of_the_area_is_on_the_paper():
    ink = 255 - np.asarray(drawn([[(0, 0)]]), float)
    assert ink.shape == ((SIDE + 2 * MARGIN) / REDUCED,) * 2
    assert ink.sum() / 255 * REDUCED**2 == pytest.approx(np.pi * PEN**2 / 4, rel=0.1)
    rows, columns = np.nonzero(ink)
    assert rows.mean() == columns.mean() == pytest.approx(MARGIN / REDUCED - 0.5, abs=0.5)
