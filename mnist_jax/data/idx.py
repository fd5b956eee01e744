"""Reading IDX, the format of MNIST's files: a magic number, the dimensions, then bytes.

bytes 0–1  zero        byte 2  type, 8 for unsigned byte        byte 3  number of dimensions
then one big-endian 32-bit length a dimension, then the elements, the last dimension fastest
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mnist_jax.data.dataset import REPAIR, DataError

GZIP_MAGIC = b"\x1f\x8b"


def read(path: Path, shape: tuple[int, ...]) -> tuple[UInt8[np.ndarray, "..."], bytes]:
    """The array in the file and the file's decompressed bytes. Raises `DataError`.

    The file may be gzipped, whatever its name. It must announce exactly `shape`, and no more is
    read than `shape` needs, so that neither a false header nor a gzip bomb takes memory.
    """
    header_size = 4 + 4 * len(shape)
    size = header_size + int(np.prod(shape))
    content = _decompressed(path, limit=size + 1)
    if len(content) < header_size:
        raise DataError(
            f"{path} must begin with an IDX header of {header_size} bytes",
            f"{len(content)} bytes in all" if content else "an empty file",
            REPAIR,
        )
    magic, *announced = struct.unpack(f">{1 + len(shape)}I", content[:header_size])
    expected_magic = 0x0800 + len(shape)
    if magic != expected_magic:
        raise DataError(
            f"{path} must begin with the magic number {expected_magic:#010x}",
            f"{magic:#010x}",
            REPAIR,
        )
    if tuple(announced) != shape:
        unit = "labels, one for each image" if len(shape) == 1 else "images"
        raise DataError(
            f"{path} must hold {_times(shape)} {unit}",
            f"a header that announces {_times(announced)}",
            REPAIR,
        )
    if len(content) != size:
        arrived = f"only {len(content):,}" if len(content) < size else "more"
        raise DataError(f"{path} must hold {size:,} bytes, decompressed", arrived, REPAIR)
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape), content


def _decompressed(path: Path, limit: int) -> bytes:
    """At most `limit` bytes of the file's content."""
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            if not compressed:
                return file.read(limit)
            with gzip.open(file) as stream:
                return stream.read(limit)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path} must be an undamaged gzip file", str(error), REPAIR) from None
    except OSError as error:
        raise DataError(
            f"{path} must be a file that can be read",
            str(error),
            "its permissions, or another --data_dir",
        ) from None


def _times(lengths) -> str:
    return " × ".join(f"{length:,}" for length in lengths)
