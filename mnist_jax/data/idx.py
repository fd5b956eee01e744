"""Reads IDX, the file format of MNIST.

A file has a header of 4 bytes plus 4 bytes for each dimension, then the elements in C order, one
unsigned byte each. The header is not read, because only files with a known checksum are used.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from manual_grads.cli import paths
from mnist_jax.data.dataset import REPAIR, DataError

GZIP_MAGIC = b"\x1f\x8b"


def content(path: Path, shape: tuple[int, ...]) -> bytes:
    """The decompressed bytes of a file that holds an array of this shape. Raises `DataError`.

    The file may be gzipped or not, whatever its name. At most one byte more than the shape needs is
    read, so a gzip bomb cannot fill the memory.
    """
    limit = _header_size(shape) + math.prod(shape) + 1
    try:
        with paths.open_plain(path, follow_links=True) as file:
            compressed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            return (gzip.open(file) if compressed else file).read(limit)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path} must be an undamaged gzip file", str(error), REPAIR) from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} must be a readable file",
            str(error),
            f"check its permissions, give another --data_dir, or {REPAIR}",
        ) from None


def elements(content: bytes, shape: tuple[int, ...]) -> UInt8[np.ndarray, "..."]:
    """The array in `content`, the decompressed bytes of a file."""
    return np.frombuffer(content, np.uint8, offset=_header_size(shape)).reshape(shape)


def _header_size(shape: tuple[int, ...]) -> int:
    return 4 + 4 * len(shape)
