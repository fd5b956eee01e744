"""The document's network as pure JAX functions, trained on handwritten digits."""

from mnist_jax.config import Config
from mnist_jax.run_directory import load

__all__ = ["Config", "load"]
