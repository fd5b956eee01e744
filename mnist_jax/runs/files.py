"""Files of a run: written whole or not at all, read only up to the size that they should have."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from manual_grads.cli import InputError, paths

SMALL = 2**20
"""The most bytes of a file that describes others."""


class RunDirectoryError(InputError):
    """A run directory that cannot be made, must not be written, or cannot be read."""


def numbered(name: str) -> Iterator[Path]:
    """The folders `runs/NAME`, `runs/NAME-2`, `runs/NAME-3` and so on, existing or not."""
    for number in itertools.count(1):
        yield Path("runs") / (name if number == 1 else f"{name}-{number}")


def make_free(name: str) -> Path:
    """Makes the first of `numbered(name)` that does not exist. Raises `RunDirectoryError`."""
    make_folder(Path("runs"))
    for folder in numbered(name):
        if not os.path.lexists(folder):
            with contextlib.suppress(FileExistsError):  # another process has just made it
                return make_folder(folder, exist_ok=False)
    raise AssertionError("unreachable")


def make_folder(folder: Path, exist_ok: bool = True) -> Path:
    """Makes `folder` and its parents. Raises `RunDirectoryError`, or `FileExistsError`."""
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        if isinstance(error, FileExistsError) and not exist_ok:
            raise
        raise RunDirectoryError(
            f"{folder} must be a folder that can be written",
            str(error),
            "--workdir=FOLDER, one that you may write to",
        ) from None
    return folder


def write(path: Path, content: str | bytes) -> None:
    """Writes `content` to `path`, whole or not at all. Raises `RunDirectoryError`."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)  # of a process of the same number, that was killed
        with beside.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise RunDirectoryError(
            f"{path} must be a file that can be written",
            str(error),
            "space on its disk, permission to write, or another --workdir",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def read(path: Path, most: int = SMALL) -> bytes:
    """The content of a plain file of at most `most` bytes. Raises `OSError`, `ValueError`."""
    with paths.open_plain(path, follow_links=False) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"more than {most:,} bytes")
    return content


def require_room(folder: Path, size: int) -> None:
    """Raises `RunDirectoryError` unless the disk has room for `size` bytes more."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise RunDirectoryError(
            f"the disk of {folder} must have room for a run, {size:,} bytes",
            f"{free:,} bytes are free",
            "space on that disk, another --workdir, or smaller --layer_sizes",
        )


def form(leaf: Any) -> str:
    """Type and shape of an array, such as `float32[10, 784]`."""
    leaf = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
    return f"{leaf.dtype}{list(leaf.shape)}"
