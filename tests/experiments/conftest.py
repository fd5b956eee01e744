"""What tests of whole experiments share."""

import jax
import pytest


@pytest.fixture
def little_optimised():
    """What is compiled here runs once: XLA takes less time to compile it, not to run it."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
