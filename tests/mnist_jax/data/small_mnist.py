"""A small dataset in the format of MNIST: its four files, and their `Published` record."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np

from mnist_jax.data.published import NAMES, Published, PublishedFile

SHAPES = ((60, 28, 28), (60,), (20, 28, 28), (20,))


def idx_bytes(array: np.ndarray) -> bytes:
    """The content of an IDX file of unsigned bytes."""
    header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
    return header + array.tobytes()


def contents() -> dict[str, bytes]:
    """The decompressed bytes of each file, by file name."""
    random = np.random.default_rng(0)
    return {
        name: idx_bytes(random.integers(0, 10 if len(shape) == 1 else 256, shape, np.uint8))
        for name, shape in zip(NAMES, SHAPES, strict=True)
    }


def compressed() -> dict[str, bytes]:
    """The gzipped bytes of each file, by the file name on a mirror."""
    return {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in contents().items()}


def published(*mirrors: str, sums_of: str = "decompressed") -> Published:
    """The dataset's `Published` record, with checksums like MNIST's, or Fashion-MNIST's if `gz`."""
    files = [
        PublishedFile(
            name,
            shape,
            f"md5:{hashlib.md5(gz, usedforsecurity=False).hexdigest()}",
            hashlib.sha256(content).hexdigest() if sums_of == "decompressed" else None,
        )
        for (name, content), gz, shape in zip(
            contents().items(), compressed().values(), SHAPES, strict=True
        )
    ]
    return Published("mnist", (files[0], files[1], files[2], files[3]), mirrors)


def write(folder: Path, *, gz: bool = True) -> Path:
    """Writes the four files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (compressed() if gz else contents()).items():
        (folder / name).write_bytes(content)
    return folder
