"""The throughput: the operations that are counted, and the numbers that are written."""

import pytest

from experiments.speed import throughput
from manual_grads import Architecture
from mnist_jax import Config

TINY = Config(dataset="digits", architecture=Architecture(layer_sizes=(784, 8, 10)))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small products, and few compilations."""
    monkeypatch.setattr(throughput, "SIDE", 64)
    monkeypatch.setattr(throughput, "COMPILATIONS", 3)


def test_operations_are_those_of_the_matrix_products():
    """Forward pass and weight gradient in each layer; nothing is backpropagated to the input."""
    assert throughput.operations((784, 5, 3, 10), 7) == 2 * 7 * (2 * 784 * 5 + 3 * (5 * 3 + 3 * 10))


def test_the_ratio_is_of_the_rates_that_were_measured(tmp_path):
    numbers = throughput.measure(TINY, 3, tmp_path)
    assert numbers["compile_seconds_median"] == sorted(numbers["compile_seconds"])[1]
    epochs, products = numbers["operations_per_second"], numbers["product_operations_per_second"]
    assert numbers["ratio"] == pytest.approx(sorted(epochs)[1] / sorted(products)[1])
    ratios = [epoch / product for epoch, product in zip(epochs, products, strict=True)]
    assert (numbers["ratio_smallest"], numbers["ratio_largest"]) == (min(ratios), max(ratios))


def test_the_products_rate_is_two_operations_a_multiplication(tmp_path, monkeypatch):
    monkeypatch.setattr(throughput, "timed_product", lambda: lambda: 1.0)
    numbers = throughput.measure(TINY, 1, tmp_path)
    assert numbers["product_operations_per_second"] == [2 * 64**3]


def test_a_product_is_timed_until_it_is_there(monkeypatch):
    awaited = []

    class Product:
        def block_until_ready(self):
            awaited.append(self)

    monkeypatch.setattr(throughput.jax, "jit", lambda function: lambda *matrices: Product())
    product = throughput.timed_product()
    before = len(awaited)
    product()
    assert len(awaited) == before + 1
