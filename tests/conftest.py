"""Strict for every test: shapes checked, promotion explicit, warnings errors, seeds shown."""

import os
import tempfile
from pathlib import Path

import jaxtyping
import pytest

if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # Before jax is imported here and in the workers and processes that inherit it: what one of them
    # has compiled, the others read. The folder is this test run's own, and goes with it.
    CACHE = tempfile.TemporaryDirectory(prefix="compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = CACHE.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

jaxtyping.install_import_hook(["manual_grads", "mnist_jax", "experiments"], "beartype.beartype")

import jax  # noqa: E402 - the hook must stand before the first import of what it checks

from tests.compiling import AS_XLA_FLAGS  # noqa: E402 - it imports jax

os.environ["XLA_FLAGS"] = AS_XLA_FLAGS  # read when jax first computes

jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(params=[0, 1, 2], ids=lambda seed: f"seed={seed}")
def key(request):
    """A random key; the test's name shows its seed."""
    return jax.random.key(request.param)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Each test stands in a folder of its own, with a cache of its own and no MNIST named."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MNIST_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)


NAMED = os.environ.get("MNIST_DATA_DIR")
MNIST_DATA_DIR = str(Path(NAMED).absolute()) if NAMED else None


@pytest.fixture
def mnist_data_dir():
    """The folder of the real MNIST."""
    if not MNIST_DATA_DIR:
        pytest.skip("MNIST_DATA_DIR names no folder of the real MNIST")
    return MNIST_DATA_DIR
