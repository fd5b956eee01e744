"""A fixture for tests that run whole experiments."""

import jax
import pytest


@pytest.fixture
def little_optimised():
    """Makes XLA optimise less: compiling is faster, and these tests run the result only once."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
