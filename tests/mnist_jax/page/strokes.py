"""The ten digits as strokes in a square from 0 to 1, as a person writes them."""

import math
from collections.abc import Iterable

Points = list[tuple[float, float]]


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> Points:
    """Points on an ellipse around (x, y); the angles are in degrees, clockwise from the right."""
    angles = [math.radians(start + (end - start) * step / 16) for step in range(17)]
    return [(x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles]


DIGITS: list[list[Points]] = [
    [arc(0.5, 0.5, 0.28, 0.45, -100, 260)],
    [[(0.4, 0.2), (0.55, 0.05), (0.52, 0.95)]],
    [[*arc(0.5, 0.28, 0.28, 0.23, -170, 40), (0.25, 0.93), (0.8, 0.92)]],
    [[*arc(0.48, 0.28, 0.24, 0.22, -160, 80), *arc(0.48, 0.72, 0.28, 0.24, -80, 160)]],
    [[(0.3, 0.08), (0.24, 0.52), (0.78, 0.5)], [(0.68, 0.1), (0.64, 0.95)]],
    [
        [(0.32, 0.08), (0.28, 0.45), *arc(0.48, 0.68, 0.28, 0.26, -110, 150)],
        [(0.32, 0.08), (0.76, 0.06)],
    ],
    [[(0.62, 0.05), (0.34, 0.45), *arc(0.5, 0.72, 0.24, 0.22, -170, 170)]],
    [[(0.22, 0.1), (0.78, 0.08), (0.6, 0.45), (0.45, 0.95)]],
    [
        [
            *arc(0.5, 0.27, 0.21, 0.21, -60, -270),
            *arc(0.5, 0.72, 0.25, 0.24, -90, 270),
            *arc(0.5, 0.27, 0.21, 0.21, 90, -60),
        ]
    ],
    [[*arc(0.5, 0.3, 0.23, 0.23, -20, -370), (0.72, 0.5), (0.62, 0.95)]],
]
PLACES = [(1.0, 0.0, 0.0), (0.62, 0.04, 0.06), (0.4, 0.55, 0.5)]
"""Sizes and positions at which the digits are drawn, as fractions of the drawing area."""


def placed(strokes: Iterable[Points], size: float, left: float, top: float) -> list[Points]:
    """The strokes at another size and position, with 8 % of the area left free around them."""
    return [
        [(0.08 + 0.84 * (left + size * x), 0.08 + 0.84 * (top + size * y)) for x, y in stroke]
        for stroke in strokes
    ]
