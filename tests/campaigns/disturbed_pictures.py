"""Random pictures that imitate scans and photographs of digits, made from MNIST's images."""

import io

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage


def strokes(image, side, sharp, draw):
    """The ink of an MNIST image, enlarged. If `sharp`, the edges are as sharp as those of a pen."""
    large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    ink = np.asarray(large, np.float32) / 255
    return ((ink - 0.45) * side / 28 / 3 + 0.5).clip(0, 1) if sharp else ink


def sheet(ink, height, width, draw):
    """The ink at a random position on an empty sheet, which is at least as large."""
    height, width = max(height, ink.shape[0]), max(width, ink.shape[1])
    top = draw.integers(height - ink.shape[0] + 1)
    left = draw.integers(width - ink.shape[1] + 1)
    whole = np.zeros((height, width), np.float32)
    whole[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return whole


def illumination(shape, draw, depth=(0.35, 0.8)):
    """Uneven light with a shadow, as factors from 0 to 1."""
    y, x = np.mgrid[-1 : 1 : 1j * shape[0], -1 : 1 : 1j * shape[1]].astype(np.float32)
    angle = draw.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    light = 1 - draw.uniform(0, 0.25) * (along + 1.4) / 2.8
    light = light - draw.uniform(0, 0.15) * (x**2 + y**2) / 2
    angle = draw.uniform(0, 2 * np.pi)
    across = x * np.cos(angle) + y * np.sin(angle) - draw.uniform(-0.8, 0.8)
    soft = 10 ** draw.uniform(-2, -0.3)
    shadow = 1 / (1 + np.exp(-(across / soft).clip(-30, 30)))
    return light * (1 - (1 - draw.uniform(*depth)) * shadow)


def texture(shape, draw, strength):
    """The texture of paper: noise at several scales."""
    total = np.zeros(shape, np.float32)
    for size in (1, 3, 12):
        small = draw.standard_normal((shape[0] // size + 2, shape[1] // size + 2))
        total = total + np.asarray(ndimage.zoom(small, size, order=1))[: shape[0], : shape[1]]
    return strength * total / 3


def photographed(ink, draw, dark=True, noise=(2, 14), depth=(0.35, 0.8)):
    """A uint8 colour picture of ink on paper, with uneven light, a shadow, texture and noise."""
    shape = ink.shape
    paper = draw.uniform(170, 250, 3) if dark else draw.uniform(10, 70, 3)
    pen = draw.uniform(10, 90, 3) if dark else draw.uniform(190, 250, 3)
    ink = ink[..., None]
    picture = paper * (1 - ink) + pen * ink
    picture = picture * illumination(shape, draw, depth)[..., None]
    picture += texture(shape, draw, draw.uniform(0, 6))[..., None]
    picture += draw.normal(0, draw.uniform(*noise), (*shape, 3))
    return np.rint(picture.clip(0, 255)).astype(np.uint8)


def disturbed(image, draw):
    """The picture for the accuracy on all images: enlarged, shifted and photographed."""
    factor = draw.uniform(8, 20)
    side = round(28 * factor)
    large = strokes(image, side, False, draw)
    large = ndimage.shift(large, draw.uniform(-3.5, 3.5, 2) * factor, order=1)
    picture = photographed(large, draw)
    return Image.fromarray(picture)


def jpeg(picture, draw, quality=(25, 80), exif=None):
    out = io.BytesIO()
    picture.save(
        out, "JPEG", quality=int(draw.integers(*quality)), **({"exif": exif} if exif else {})
    )
    out.seek(0)
    return Image.open(out)


def pen(image, side, width, draw):
    """A thin line along the middle of the strokes."""
    mask = strokes(image, side, True, draw) > 0.5
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 2.0)
    ridge = (depth >= ndimage.maximum_filter(depth, 7) - 0.5) & mask & (depth > 1)
    away = ndimage.distance_transform_edt(~ridge)
    return (width / 2 - away + 0.5).clip(0, 1).astype(np.float32)


def small_on_a_sheet(image, draw):
    side = int(draw.integers(120, 260))
    ink = sheet(strokes(image, side, True, draw), 1600, 1200, draw)
    return jpeg(Image.fromarray(photographed(ink, draw)), draw)


def thin_pen(image, draw):
    side = int(draw.integers(250, 700))
    ink = sheet(
        pen(image, side, side * draw.uniform(0.012, 0.03), draw), side + 100, side + 200, draw
    )
    return jpeg(Image.fromarray(photographed(ink, draw)), draw)


def ruled(image, draw):
    side = int(draw.integers(250, 600))
    ink = strokes(image, side, True, draw)
    ink = sheet(ink, side + 150, side + 200, draw)
    step = side * draw.uniform(0.2, 0.6)
    lines = Image.new("L", (ink.shape[1], ink.shape[0]))
    slope = draw.uniform(-0.05, 0.05)
    for y in np.arange(-200, ink.shape[0] + 200, step):
        ImageDraw.Draw(lines).line(
            (0, y, ink.shape[1], y + slope * ink.shape[1]), 255, width=max(round(side / 200), 1)
        )
    strength = draw.uniform(0.15, 0.5)
    both = np.maximum(ink, strength * np.asarray(lines, np.float32) / 255)
    return jpeg(Image.fromarray(photographed(both, draw)), draw)


def dark_border(image, draw):
    picture = photographed(strokes(image, int(draw.integers(300, 600)), True, draw), draw)
    height, width = picture.shape[:2]
    thick = draw.integers(0, height // 5, 4)
    framed = draw.uniform(0, 70) + draw.normal(
        0, 4, (height + thick[:2].sum(), width + thick[2:].sum(), 3)
    )
    framed[thick[0] : thick[0] + height, thick[2] : thick[2] + width] = picture
    return Image.fromarray(framed.clip(0, 255).astype(np.uint8)).rotate(
        draw.uniform(-3, 3), Image.Resampling.BILINEAR
    )


def chalk(image, draw):
    ink = sheet(strokes(image, int(draw.integers(250, 500)), True, draw), 600, 800, draw)
    return jpeg(Image.fromarray(photographed(ink, draw, dark=False)), draw)


def pencil(image, draw):
    ink = draw.uniform(0.15, 0.35) * sheet(
        strokes(image, int(draw.integers(250, 500)), True, draw), 500, 700, draw
    )
    return Image.fromarray(photographed(ink, draw, noise=(2, 5)))


def turned(image, draw):
    orientation = int(draw.choice([2, 3, 4, 5, 6, 7, 8]))
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    ink = sheet(strokes(image, 300, True, draw), 400, 600, draw)
    picture = Image.fromarray(photographed(ink, draw)).transpose(Image.Transpose(back))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return jpeg(picture, draw, exif=exif)


def transparent(image, draw):
    ink = sheet(strokes(image, 300, True, draw), 400, 400, draw)
    level = int(draw.choice([0, 255]))
    rgba = np.dstack([*[np.full(ink.shape, level)] * 3, 255 * ink]).astype(np.uint8)
    picture = Image.fromarray(rgba, "RGBA")
    return picture if draw.random() < 0.5 else picture.convert("LA")


def other_mode(image, draw):
    ink = sheet(strokes(image, 300, True, draw), 400, 400, draw)
    picture = Image.fromarray(photographed(ink, draw))
    mode = draw.choice(["P", "CMYK", "YCbCr", "HSV", "I;16", "I", "F", "L", "1"])
    if mode == "P":
        return picture.quantize(8)
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 200 + 3)
    if mode in "IF":
        return picture.convert("L").convert(mode)
    return picture.convert(mode)


def coloured(image, draw):
    ink = sheet(strokes(image, 300, True, draw), 400, 500, draw)[..., None]
    pairs = [
        ((255, 230, 0), (255, 255, 255)),
        ((220, 30, 30), (120, 120, 130)),
        ((0, 130, 0), (200, 60, 60)),
        ((60, 60, 200), (250, 250, 240)),
        ((255, 120, 120), (255, 250, 250)),
    ]
    pen_colour, paper = map(np.array, pairs[draw.integers(len(pairs))])
    picture = paper * (1 - ink) + pen_colour * ink
    picture = picture * illumination(ink.shape[:2], draw, (0.6, 0.9))[..., None] + draw.normal(
        0, 4, picture.shape
    )
    return jpeg(Image.fromarray(picture.clip(0, 255).astype(np.uint8)), draw, (60, 90))


def tight(image, draw):
    rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
    cut = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    factor = draw.uniform(5, 15)
    size = round(cut.shape[1] * factor), round(cut.shape[0] * factor)
    ink = np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BICUBIC), np.float32) / 255
    return Image.fromarray(photographed(ink, draw, dark=draw.random() < 0.5))


def specks(image, draw):
    side = int(draw.integers(250, 600))
    ink = sheet(strokes(image, side, True, draw), side + 200, side + 300, draw)
    layer = Image.new("L", (ink.shape[1], ink.shape[0]))
    for _ in range(draw.integers(3, 25)):
        x, y, r = (
            draw.uniform(0, ink.shape[1]),
            draw.uniform(0, ink.shape[0]),
            draw.uniform(1, side / 60),
        )
        ImageDraw.Draw(layer).ellipse((x - r, y - r, x + r, y + r), 255)
    return Image.fromarray(photographed(np.maximum(ink, np.asarray(layer, np.float32) / 255), draw))


KINDS = [
    small_on_a_sheet,
    thin_pen,
    ruled,
    dark_border,
    chalk,
    pencil,
    turned,
    transparent,
    other_mode,
    coloured,
    tight,
    specks,
]


def blank(draw):
    shape = draw.integers(100, 700, 2)
    return Image.fromarray(
        photographed(np.zeros(shape, np.float32), draw, dark=draw.random() < 0.5)
    )


def two(first, second, draw):
    side = int(draw.integers(200, 400))
    gap = np.zeros((side, round(side * draw.uniform(0, 0.5))))
    ink = np.hstack([strokes(first, side, True, draw), gap, strokes(second, side, True, draw)])
    return jpeg(
        Image.fromarray(photographed(sheet(ink, side + 100, ink.shape[1] + 100, draw), draw)), draw
    )
