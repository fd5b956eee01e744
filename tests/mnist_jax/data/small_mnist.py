"""A small dataset in MNIST's form: its four files, and the table that publishes them."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np

from mnist_jax.data.published import NAMES, Published, PublishedFile

SHAPES = ((60, 28, 28), (60,), (20, 28, 28), (20,))


def idx_bytes(array: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes."""
    header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
    return header + array.tobytes()


def contents() -> dict[str, bytes]:
    """Each file's decompressed bytes, by name."""
    random = np.random.default_rng(0)
    return {
        name: idx_bytes(random.integers(0, 10 if len(shape) == 1 else 256, shape, np.uint8))
        for name, shape in zip(NAMES, SHAPES, strict=True)
    }


def compressed() -> dict[str, bytes]:
    """Each file's gzipped bytes, by the name it is served under."""
    return {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in contents().items()}


def published(*mirrors: str, sums_of: str = "decompressed") -> Published:
    """The table of the small dataset, with MNIST's kind of sums or (`gz`) Fashion-MNIST's."""
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
    """The four files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (compressed() if gz else contents()).items():
        (folder / name).write_bytes(content)
    return folder
