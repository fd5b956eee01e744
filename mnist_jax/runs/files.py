"""Making folders, writing files atomically, and reading them with a limit on their size."""

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
"""Size limit in bytes for files without large arrays, and for the header of files with arrays."""


class RunDirectoryError(InputError):
    """A run directory cannot be made, must not be written to, or cannot be read."""


def numbered(name: str) -> Iterator[Path]:
    """The folders `runs/NAME`, `runs/NAME-2`, `runs/NAME-3` and so on, existing or not."""
    for number in itertools.count(1):
        yield Path("runs") / (name if number == 1 else f"{name}-{number}")


def make_free(name: str) -> Path:
    """Makes the first of `numbered(name)` that does not exist. Raises `RunDirectoryError`."""
    make_folder(Path("runs"))
    for folder in numbered(name):
        if not os.path.lexists(folder):
            with contextlib.suppress(FileExistsError):  # if another process has just made it
                return make_folder(folder, exist_ok=False)
    raise AssertionError("unreachable")


def make_folder(folder: Path, exist_ok: bool = True) -> Path:
    """Makes `folder` and its parents. Raises `RunDirectoryError` or `FileExistsError`."""
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        if isinstance(error, FileExistsError) and not exist_ok:
            raise
        raise RunDirectoryError(
            f"{folder} must be a writable folder",
            str(error),
            "a --workdir for which you have write permission",
        ) from None
    return folder


def write(path: Path, content: str | bytes) -> None:
    """Writes `content` to `path` atomically. Raises `RunDirectoryError`."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)  # in case a killed process with the same id left it
        with beside.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise RunDirectoryError(
            f"{path} must be a writable file",
            str(error),
            "more free space on its disk, write permission, or another --workdir",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def read(path: Path, most: int = SMALL) -> bytes:
    """The content of a regular file of at most `most` bytes. Raises `OSError` or `ValueError`."""
    with paths.open_plain(path, follow_links=False) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"more than {most:,} bytes")
    return content


def require_room(folder: Path, size: int) -> None:
    """Raises `RunDirectoryError` unless the disk has `size` free bytes."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise RunDirectoryError(
            f"the disk of {folder} must have {size:,} free bytes for the run",
            f"{free:,} bytes are free",
            "more free space, another --workdir, or smaller --layer_sizes",
        )


def form(leaf: Any) -> str:
    """The dtype and shape of an array, such as `float32[10, 784]`."""
    leaf = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
    return f"{leaf.dtype}{list(leaf.shape)}"
