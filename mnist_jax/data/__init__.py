"""Handwritten digits as arrays: `load(config) -> Dataset`, whatever the source."""

from mnist_jax.data.dataset import DataError, Dataset, Examples
from mnist_jax.data.sources import load

__all__ = ["DataError", "Dataset", "Examples", "load"]
