"""Where an experiment's numbers go: JSON, with the command and the machine that made them."""

import json
import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from mnist_jax import run_directory, training

PUBLISHED = Path(__file__).parent / "results"
"""The committed results, which only `--publish` changes."""


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
    path.parent.mkdir(parents=True, exist_ok=True)
    run_directory.write(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def publish(source: Path, name: str) -> None:
    """Puts a copy of `source` among the committed results."""
    PUBLISHED.mkdir(exist_ok=True)
    shutil.copyfile(source, PUBLISHED / name)
