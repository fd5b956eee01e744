"""A picture of a digit becomes MNIST's image of it, whatever its background, polarity and mode."""

import numpy as np
import pytest
from PIL import Image

from mnist_jax.pictures import network_image
from tests.campaigns.disturbed_pictures import blank, disturbed

SEVEN = np.zeros((28, 28), np.uint8)
SEVEN[4:7, 8:20] = 255
for row in range(7, 24):
    SEVEN[row, 19 - (row - 7) // 2 - 3 : 20 - (row - 7) // 2] = 255


def placed():
    """The seven as MNIST has it."""
    image = network_image(Image.fromarray(SEVEN))
    assert image is not None
    return image


def large(dark=True, light: float | np.ndarray = 1.0):
    """The seven, 10 times as large, on grey paper."""
    ink = np.asarray(Image.fromarray(SEVEN).resize((280, 280)), np.float32) / 255
    ink = np.pad(ink, ((30, 90), (120, 20)))
    return np.rint(((220 - 190 * ink) if dark else (30 + 190 * ink)) * light).astype(np.uint8)


def assert_the_seven(image):
    assert image is not None
    difference = np.abs(image.astype(int) - placed().astype(int)).sum()
    assert difference < 0.4 * placed().sum()  # blurred edges; another shape differs by more than 1


def test_a_digit_in_the_form_of_mnist_keeps_its_pixels():
    image = placed()
    rows, columns = np.nonzero(image)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (20, 12)
    centre = [np.average(np.arange(28), weights=image.sum(axis)) for axis in (1, 0)]
    assert all(13.5 <= middle < 14.5 for middle in centre)
    assert sorted(image[image > 0]) == sorted(SEVEN[SEVEN > 0])


@pytest.mark.parametrize("dark", [True, False], ids=["dark ink", "light ink"])
def test_paper_size_place_and_polarity_do_not_matter(dark):
    assert_the_seven(network_image(Image.fromarray(large(dark))))


def test_a_shadow_and_noise_are_removed():
    light = np.where(np.arange(420) + np.arange(400)[:, None] < 350, 0.55, 1.0)
    noise = np.random.default_rng(0).normal(0, 6, light.shape)
    picture = (large(light=light) + noise).clip(0, 255).astype(np.uint8)
    assert_the_seven(network_image(Image.fromarray(picture)))


def overlap(image):
    """The ink in common, as a fraction of all ink of the image and of the seven."""
    assert image is not None
    return np.minimum(image, placed()).sum() / np.maximum(image, placed()).sum()


def test_no_shadow_is_taken_for_ink():
    """Hard and soft shadows of every direction, on coloured paper with texture and noise."""
    for seed in range(20, 30):
        picture = disturbed(SEVEN, np.random.default_rng(seed))
        assert overlap(network_image(picture)) > 0.5, seed


def test_ink_is_found_under_noise_in_the_dark():
    noise = np.random.default_rng(0).normal(0, 16, large().shape)
    picture = (large(light=0.2) + noise).clip(0, 255).astype(np.uint8)
    assert overlap(network_image(Image.fromarray(picture))) > 0.5


@pytest.mark.parametrize("seed", [0, 2, 14])
def test_the_texture_of_paper_is_not_ink(seed):
    """With these seeds, the smoothed sheet has spots of weak contrast."""
    assert network_image(blank(np.random.default_rng(seed))) is None


def test_a_digit_may_touch_the_edge_of_a_picture_with_a_shadow():
    picture = large()[:270]
    rows, columns = np.indices(picture.shape)
    picture = np.rint(picture * np.where(rows + columns < 250, 0.5, 1.0)).astype(np.uint8)
    assert_the_seven(network_image(Image.fromarray(picture)))


def test_the_paper_between_strokes_is_not_ink():
    three = np.zeros((28, 28), np.uint8)
    for top in (4, 13, 22):
        three[top : top + 2, 8:20] = 255
    three[4:24, 19] = 255
    image = network_image(Image.fromarray(three))
    assert image is not None
    assert sorted(image[image > 0]) == sorted(three[three > 0])


def test_a_five_whose_bar_stands_apart_is_one_digit():
    """The bar is half as high as the rest, over a gap of three pixels."""
    five = np.zeros((28, 28), np.uint8)
    five[4:6, 11:20] = five[4:10, 18:20] = 255
    five[13:15, 8:16] = five[13:22, 15:17] = five[22:24, 8:16] = 255
    assert network_image(Image.fromarray(five)) is not None


def test_a_clean_picture_is_searched_for_dark_ink_alone():
    assert_the_seven(network_image(Image.fromarray(large()), clean=True))
    other = network_image(Image.fromarray(large(dark=False)), clean=True)
    assert other is None or overlap(other) < 0.5


def test_a_dark_table_around_the_paper_is_not_ink():
    assert_the_seven(network_image(Image.fromarray(np.pad(large(), 40, constant_values=20))))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LA", "I", "F"])
def test_the_mode_does_not_matter(mode):
    picture = Image.fromarray(np.where(large() > 128, 255, 0).astype(np.uint8))
    assert_the_seven(network_image(picture.convert("RGB").convert("L").convert(mode)))


def test_16_bits_do_not_matter():
    assert_the_seven(network_image(Image.fromarray(large().astype(np.uint16) * 250)))


@pytest.mark.parametrize("level", [0, 255], ids=["black", "white"])
def test_ink_on_a_transparent_background_is_seen(level):
    ink = 255 - large()
    rgba = np.dstack([np.full_like(ink, level)] * 3 + [np.where(ink > 128, 255, 0)])
    assert_the_seven(network_image(Image.fromarray(rgba.astype(np.uint8), "RGBA")))


def test_the_orientation_in_the_exif_data_is_followed():
    turned = Image.fromarray(large()).transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6
    assert_the_seven(network_image(turned))


def test_a_small_digit_on_a_large_sheet_is_seen():
    sheet = np.full((3000, 2000), 220, np.uint8)
    sheet[1000:1400, 300:720] = large()
    assert_the_seven(network_image(Image.fromarray(sheet)))


def test_a_thin_pen_becomes_as_thick_as_the_thinnest_strokes_of_mnist():
    picture = np.full((400, 400), 255, np.uint8)
    picture[60:340, 198:201] = 0
    image = network_image(Image.fromarray(picture))
    assert image is not None
    assert 1.5 * 255 < image[14].sum() < 3 * 255


def test_no_digit_is_seen_where_there_is_no_ink():
    assert network_image(Image.new("RGB", (300, 200), "white")) is None
    noise = np.random.default_rng(0).normal(200, 10, (300, 200)).clip(0, 255)
    assert network_image(Image.fromarray(noise.astype(np.uint8))) is None


def test_no_single_digit_is_seen_where_two_stand_apart():
    assert network_image(Image.fromarray(np.hstack([large(), large()]))) is None
