"""The cost of an example against the size of the network, the batch and the data."""

import math

import pytest

from experiments.common import timing
from experiments.speed import cost_by_size as curves
from mnist_jax import Config


@pytest.mark.usefixtures("little_optimised")
def test_a_point_is_the_seconds_of_an_epoch_and_of_its_products_for_one_example(
    monkeypatch, tmp_path
):
    """Every measurement is made to take 2 s."""
    sizes, batch = (784, 64, 10), 64
    lines = {
        "width": {64: (sizes, batch)},
        "depth": {},
        "batch size": {},
        "examples": {100: (sizes, batch)},
    }
    monkeypatch.setattr(curves, "LINES", lines)
    monkeypatch.setattr(curves, "PRODUCTS", 2)
    monkeypatch.setattr(timing, "timed", lambda work: (work(), 2.0))
    numbers = curves.measure(Config(dataset="digits"), 1, tmp_path)
    calls = int(1e9 / (batch * 784 * 64))
    rate = 2 * batch * 784 * 64 * calls / 2.0
    for row, examples in zip(numbers["rows"], (1437, 100), strict=True):
        assert row["examples"] == examples
        assert row["cost"] == pytest.approx(2e6 / examples)
        assert row["limit"] == pytest.approx(1e6 * timing.operations(sizes, 1) / rate)
    drawn = curves.figures(numbers)["curves.png"]
    assert [axes.get_xlabel() for axes in drawn.axes] == [*lines]
    assert all(math.isfinite(edge) for axes in drawn.axes for edge in axes.get_ylim())
