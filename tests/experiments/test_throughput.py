"""The throughput: the operations that it counts, and the numbers that it writes."""

import json
from pathlib import Path

import pytest

from experiments import throughput
from manual_grads.architecture import Architecture
from mnist_jax.config import Config


def test_operations_are_those_of_the_matrix_products():
    """Forward and weight gradient in each layer; no derivative is handed down to the input."""
    config = Config(architecture=Architecture(layer_sizes=(784, 5, 3, 10)))
    assert throughput.operations(config, 7) == 2 * 7 * (2 * 784 * 5 + 3 * (5 * 3 + 3 * 10))


def test_the_ratio_is_of_the_rates_that_were_seen(capsys, monkeypatch):
    monkeypatch.setattr(throughput, "SIDE", 64)
    words = "--dataset=digits --layer_sizes=784,8,10 --pairs=3 --compilations=2"
    assert throughput.main(words.split()) == 0
    record = json.loads(Path("runs/base-throughput/base_throughput.json").read_text())
    assert len(record["compile_seconds"]) == 2
    epochs, products = record["operations_per_second"], record["product_operations_per_second"]
    assert record["ratio"] == pytest.approx(sorted(epochs)[1] / sorted(products)[1])
    assert record["ratio_smallest"] <= record["ratio_largest"]
