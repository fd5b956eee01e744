"""MNIST and Fashion-MNIST: file names, shapes, checksums and mirrors, and reading the files.

An IDX file has a header of 4 bytes plus 4 bytes for each dimension. The elements follow in C order,
one unsigned byte each. The header is skipped, because only files with a known checksum are used.
"""

import hashlib
import math
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from manual_grads.cli import paths
from mnist_jax.data.dataset import REPAIR, DataError, Dataset, Examples


class PublishedFile(NamedTuple):
    """One IDX file. `compressed` is the checksum of its `.gz` file, as `algorithm:digest`."""

    name: str
    shape: tuple[int, ...]
    compressed: str
    sha256: str | None
    """Checksum of the decompressed bytes; None if only the `.gz` file's checksum is published."""

    @property
    def gz(self) -> str:
        return f"{self.name}.gz"

    @property
    def header_size(self) -> int:
        return 4 + 4 * len(self.shape)


class Published(NamedTuple):
    """A dataset. `files` has the training images and labels, then the test images and labels."""

    name: str
    files: tuple[PublishedFile, PublishedFile, PublishedFile, PublishedFile]
    mirrors: tuple[str, ...]


GZIP_MAGIC = b"\x1f\x8b"
NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SHAPES = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))
MNIST_COMPRESSED = (
    "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
)
MNIST_SHA256 = (
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
FASHION_COMPRESSED = (
    "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "md5:25c81989df183df01b3e8a0aad5dffbe",
    "md5:bef4ecab320f06d8554ea6380940ec79",
    "md5:bb300cfdad3c16e7a12a480ee83cd310",
)

MNIST = Published(
    "mnist",
    tuple(map(PublishedFile, NAMES, SHAPES, MNIST_COMPRESSED, MNIST_SHA256)),  # pyright: ignore[reportArgumentType] - four of each
    (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
)
FASHION_MNIST = Published(
    "fashion_mnist",
    tuple(map(PublishedFile, NAMES, SHAPES, FASHION_COMPRESSED, [None] * 4)),  # pyright: ignore[reportArgumentType] - four of each
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
)


def missing(published: Published, folder: Path) -> list[PublishedFile]:
    """The files of `published` that are not in `folder`."""
    return [file for file in published.files if _path(file, folder) is None]


def read(published: Published, folder: Path) -> Dataset:
    """Reads the dataset from `folder` and verifies all checksums. Raises `DataError`."""
    arrays, digests = zip(*(_read_verified(file, folder) for file in published.files), strict=True)
    names = [file.name for file in published.files]
    return Dataset(
        published.name,
        Examples(arrays[0], arrays[1]),
        Examples(arrays[2], arrays[3]),
        dict(zip(names, digests, strict=True)),
    )


def _path(file: PublishedFile, folder: Path) -> Path | None:
    """The file's path, or None. A decompressed file counts only if `file.sha256` is not None."""
    names = [file.gz] if file.sha256 is None else [file.name, file.gz]
    there = [folder / name for name in names if os.path.lexists(folder / name)]
    return next((path for path in there if path.is_file()), there[0] if there else None)


def _read_verified(file: PublishedFile, folder: Path):
    """Verifies a file, and returns its array and the SHA-256 of its decompressed bytes."""
    path = _path(file, folder)
    if path is None:
        raise DataError(
            f"{folder} must contain {file.name}", "no such file", "a --data_dir that contains it"
        )
    content = decompressed(path, file.header_size + math.prod(file.shape))
    digest = hashlib.sha256(content).hexdigest()
    if file.sha256 is not None:
        _verify(path, "decompressed SHA-256", digest, file.sha256)
    else:
        algorithm, expected = file.compressed.split(":")
        with path.open("rb") as stream:
            actual = hashlib.file_digest(stream, algorithm).hexdigest()
        _verify(path, algorithm.upper(), actual, expected)
    elements = np.frombuffer(content, np.uint8, offset=file.header_size)
    return elements.reshape(file.shape), digest


def decompressed(path: Path, size: int) -> bytes:
    """The decompressed content of a file that should hold `size` bytes. Raises `DataError`.

    The file may be gzipped or not, whatever its name. At most `size` + 1 bytes are decompressed, so
    that a gzip bomb cannot fill the memory. The single call of zlib releases the GIL.
    """
    try:
        with paths.open_plain(path, follow_links=True) as file:
            content = file.read(2 * size + 64)
        if not content.startswith(GZIP_MAGIC):
            return content
        gzipped = zlib.decompressobj(wbits=31)  # with the header and the checksum of gzip
        content = gzipped.decompress(content, size + 1)
        if len(content) <= size and not gzipped.eof:
            raise EOFError("the compressed data end too early")
        return content
    except (zlib.error, EOFError) as error:
        raise DataError(f"{path} must be an undamaged gzip file", str(error), REPAIR) from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} must be a readable file",
            str(error),
            f"check its permissions, give another --data_dir, or {REPAIR}",
        ) from None


def _verify(path: Path, algorithm: str, actual: str, expected: str) -> None:
    if actual != expected:
        raise DataError(
            f"{path} must be the published file, with {algorithm} {expected}",
            f"a damaged or different file, with {algorithm} {actual}",
            REPAIR,
        )
