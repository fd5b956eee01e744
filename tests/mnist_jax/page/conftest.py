"""A network for the page, the page's own client, and a question that it answers."""

import jax
import pytest
from starlette.testclient import TestClient

from manual_grads import Architecture
from mnist_jax import Config, Model
from mnist_jax.model import init
from mnist_jax.page import answers, server

SEVEN = [[(60, 40), (220, 40), (120, 240)]]
QUESTION = {"strokes": SEVEN, "target": None, "steps": [], "unit": None}


def network_of(**choices):
    """A network with random weights, and the biases that it has drawn too."""
    architecture = Architecture(**{"layer_sizes": (784, 35, 10), **choices})
    params = init(jax.random.key(1), architecture)
    drawn = [
        {
            name: leaf
            if name == "weight"
            else 0.1 * jax.random.normal(jax.random.key(2), leaf.shape)
            for name, leaf in layer.items()
        }
        for layer in params
    ]
    return answers.network("<mine>", Model(Config(architecture=architecture), drawn))


@pytest.fixture(scope="session")
def network():
    """A small network of the kind that `base.flags` trains."""
    return network_of()


@pytest.fixture
def client(network):
    """A client of the page at the address where it is served."""
    with TestClient(server.application(network), "http://127.0.0.1:8000") as client:
        yield client
