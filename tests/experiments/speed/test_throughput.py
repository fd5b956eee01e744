"""The throughput: the operations that it counts, and the numbers that it writes."""

import json
from pathlib import Path

import pytest

from experiments.common import record
from experiments.speed import throughput
from manual_grads import Architecture
from mnist_jax import Config


def test_operations_are_those_of_the_matrix_products():
    """Forward and weight gradient in each layer; no derivative is handed down to the input."""
    config = Config(architecture=Architecture(layer_sizes=(784, 5, 3, 10)))
    assert throughput.operations(config, 7) == 2 * 7 * (2 * 784 * 5 + 3 * (5 * 3 + 3 * 10))


def test_the_ratio_is_of_the_rates_that_were_seen(capsys, monkeypatch):
    monkeypatch.setattr(throughput, "SIDE", 64)
    monkeypatch.setattr(record, "PUBLISHED", Path("published"))
    words = "--dataset=digits --layer_sizes=784,8,10 --pairs=3 --compilations=3"
    assert throughput.main(words.split()) == 0
    numbers = json.loads(Path("runs/base-throughput/base_throughput.json").read_text())
    assert numbers["compile_seconds_median"] == sorted(numbers["compile_seconds"])[1]
    epochs, products = numbers["operations_per_second"], numbers["product_operations_per_second"]
    assert numbers["ratio"] == pytest.approx(sorted(epochs)[1] / sorted(products)[1])
    ratios = [epoch / product for epoch, product in zip(epochs, products, strict=True)]
    assert (numbers["ratio_smallest"], numbers["ratio_largest"]) == (min(ratios), max(ratios))
    assert not Path("published").exists()


def test_the_products_rate_is_two_operations_a_multiplication(capsys, monkeypatch):
    monkeypatch.setattr(throughput, "SIDE", 64)
    monkeypatch.setattr(throughput, "timed_product", lambda: lambda: 1.0)
    assert throughput.main(["--dataset=digits", "--layer_sizes=784,8,10", "--pairs=1"]) == 0
    numbers = json.loads(Path("runs/base-throughput/base_throughput.json").read_text())
    assert numbers["product_operations_per_second"] == [2 * 64**3]


def test_a_product_is_timed_until_it_is_there(monkeypatch):
    awaited = []

    class Product:
        def block_until_ready(self):
            awaited.append(self)

    monkeypatch.setattr(throughput, "SIDE", 4)
    monkeypatch.setattr(throughput.jax, "jit", lambda function: lambda *matrices: Product())
    product = throughput.timed_product()
    before = len(awaited)
    product()
    assert len(awaited) == before + 1
