"""Where an experiment's numbers go: JSON, with the command and the machine that made them."""

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from manual_grads.cli import OptionError
from mnist_jax import run_directory, training
from mnist_jax.config import Config

PUBLISHED = Path(__file__).parent / "results"
"""The committed results, which only `--publish` changes."""


def folder(out: str | None, name: str) -> Path:
    """The folder to write to: `out`, or the next free `runs/NAME`. Raises `RunDirectoryError`."""
    if out is None:
        return run_directory.make_free(name)
    return run_directory.make(Path(out).expanduser())


def require_own_folder(config: Config) -> None:
    """Raises `OptionError` for the trainer's flags that an experiment does not heed."""
    if config.workdir is not None:
        raise OptionError(
            "an experiment must be told by --out where to write",
            "--workdir",
            "--out=FOLDER",
        )


def save(path: Path, module: str, argv: Sequence[str], numbers: dict[str, Any]) -> None:
    """Writes `numbers` to `path`, behind the command and the machine that made them.

    The command is given without the folders of this machine. Raises `RunDirectoryError`.
    """
    words = [word for word in argv if not word.startswith(("--out=", "--data_dir="))]
    record = {
        "command": shlex.join(["python", "-m", module, *words]),
        "device": jax.devices()[0].device_kind,
        "cores": os.cpu_count(),
        "versions": training.versions(),
        **numbers,
    }
    run_directory.write(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def publish(source: Path, name: str) -> None:
    """Puts a copy of `source` among the committed results."""
    run_directory.write(run_directory.make(PUBLISHED) / name, source.read_bytes())
