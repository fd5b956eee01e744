"""Settings for every test: array shapes are checked and implicit dtype promotion is an error."""

import os
import tempfile
from pathlib import Path

import jaxtyping
import pytest

if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # All workers and subprocesses share this cache of compiled programs. The variables must be set
    # before jax is imported. The folder is deleted at the end of the test run.
    CACHE = tempfile.TemporaryDirectory(prefix="compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = CACHE.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# Tests of several devices need 8 on the CPU; all others use the first. It is set in all processes,
# because the number changes how XLA divides the work of one device, and so the bits.
os.environ["JAX_NUM_CPU_DEVICES"] = "8"

jaxtyping.install_import_hook(["manual_grads", "mnist_jax", "experiments"], "beartype.beartype")

import jax  # noqa: E402 - the hook must be installed before the packages are imported

from tests.compiling import AS_XLA_FLAGS  # noqa: E402 - it imports jax

os.environ["XLA_FLAGS"] = AS_XLA_FLAGS  # jax reads it at its first computation

jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(params=[0, 1, 2], ids=lambda seed: f"seed={seed}")
def key(request):
    """A random key, whose seed is in the name of the test."""
    return jax.random.key(request.param)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Runs each test in its own folder, with its own cache and without `MNIST_DATA_DIR`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MNIST_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def undrawn(monkeypatch):
    """Writes empty files instead of a run's figures, because drawing takes most of a short run."""
    from mnist_jax import figures, runs

    drawn = figures.write

    def write(workdir, named):
        drawn(workdir, {name: figure for name, figure in named.items() if figure is not None})
        for name in (name for name, figure in named.items() if figure is None):
            runs.write(workdir / name, b"")

    monkeypatch.setattr(figures, "write", write)
    for name in ("learning_curve", "first_layer", "mistakes"):
        monkeypatch.setattr(figures, name, lambda *_: None)


NAMED = os.environ.get("MNIST_DATA_DIR")
MNIST_DATA_DIR = str(Path(NAMED).absolute()) if NAMED else None


@pytest.fixture
def mnist_data_dir():
    """The folder of the real MNIST. If `MNIST_DATA_DIR` is not set, the test is skipped."""
    if not MNIST_DATA_DIR:
        pytest.skip("MNIST_DATA_DIR is not set to a folder with the real MNIST")
    return MNIST_DATA_DIR
