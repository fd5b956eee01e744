"""Reading published files: a file is used only if its checksum is the published one."""

import gzip
import os
import re
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from mnist_jax.data import DataError, published
from tests.mnist_jax.data import small_mnist

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = published.NAMES


@pytest.mark.parametrize("gz", [True, False], ids=["gzipped", "decompressed"])
def test_the_published_files_are_read_as_they_are(tmp_path, gz):
    folder = small_mnist.write(tmp_path / "data", gz=gz)
    dataset = published.read(small_mnist.published(), folder)
    for name, array in zip(published.NAMES, (*dataset.train, *dataset.test), strict=True):
        assert small_mnist.idx_bytes(array) == small_mnist.contents()[name]
        assert array.dtype == np.uint8


def test_digests_are_those_of_the_decompressed_bytes(tmp_path):
    table = small_mnist.published()
    dataset = published.read(table, small_mnist.write(tmp_path / "data"))
    assert dataset.sha256 == {file.name: file.sha256 for file in table.files}


def test_a_file_that_a_browser_decompressed_is_read_under_its_gz_name(tmp_path):
    folder = small_mnist.write(tmp_path / "data")
    (folder / f"{TRAIN_IMAGES}.gz").write_bytes(small_mnist.contents()[TRAIN_IMAGES])
    published.read(small_mnist.published(), folder)


def damaged(content: bytes, *, at: int = 500) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


images, labels = small_mnist.contents()[TRAIN_IMAGES], small_mnist.contents()[TRAIN_LABELS]
WRONG_FILES = {
    "empty": (TRAIN_IMAGES, b""),
    "cut in its header": (TRAIN_IMAGES, images[:9]),
    "truncated": (TRAIN_IMAGES, images[:-1]),
    "too long": (TRAIN_IMAGES, images + b"\0"),
    "wrong magic": (TRAIN_IMAGES, b"\0\0\x08\x01" + images[4:]),
    "wrong count": (TRAIN_IMAGES, images[:4] + struct.pack(">I", 2**32 - 1) + images[8:]),
    "fewer labels than images": (TRAIN_LABELS, small_mnist.contents()[TEST_LABELS]),
    "images for labels": (TRAIN_LABELS, images),
    "one bit flipped": (TRAIN_IMAGES, damaged(images)),
}


@pytest.mark.parametrize("gz", [True, False], ids=["gzipped", "decompressed"])
@pytest.mark.parametrize(("name", "content"), WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_a_file_that_is_not_the_published_one_is_refused(tmp_path, name, content, gz):
    folder = small_mnist.write(tmp_path / "data", gz=gz)
    file_name = f"{name}.gz" if gz else name
    (folder / file_name).write_bytes(gzip.compress(content) if gz else content)
    with pytest.raises(DataError) as refusal:
        published.read(small_mnist.published(), folder)
    _, first, second, third = str(refusal.value).splitlines()
    assert file_name in first
    assert "decompressed SHA-256" in first
    assert "different file" in second
    assert "published file" in third


IN_ITS_PLACE = {
    "a pipe": (os.mkfifo, "a pipe"),
    "a folder": (Path.mkdir, "a folder"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "a link to /dev/zero: a device"),
    "a link to nowhere": (lambda path: path.symlink_to("/gone"), "a link to /gone: no such file"),
}


@pytest.mark.parametrize(("put", "words"), IN_ITS_PLACE.values(), ids=IN_ITS_PLACE.keys())
def test_an_error_names_what_is_there_in_place_of_a_file(put, words, tmp_path):
    folder = small_mnist.write(tmp_path / "data")
    (folder / f"{TRAIN_IMAGES}.gz").unlink()
    put(folder / f"{TRAIN_IMAGES}.gz")
    with pytest.raises(DataError, match=re.escape(words)):
        published.read(small_mnist.published(), folder)


gz_images = small_mnist.compressed()[f"{TRAIN_IMAGES}.gz"]


@pytest.mark.parametrize(
    "content",
    [gz_images[: len(gz_images) // 2], gz_images[:7], damaged(gz_images, at=2), damaged(gz_images)],
    ids=["truncated", "cut in its header", "of another method", "one bit flipped"],
)
def test_a_damaged_gzip_file_is_refused(tmp_path, content):
    folder = small_mnist.write(tmp_path / "data")
    (folder / f"{TRAIN_IMAGES}.gz").write_bytes(content)
    with pytest.raises(
        DataError, match=r"train-images.* must be (an undamaged gzip|the published)"
    ):
        published.read(small_mnist.published(), folder)


@pytest.mark.parametrize("size", [7, len(gz_images) // 2, len(gz_images) - 1])
def test_a_gzip_file_that_ends_too_early_is_no_shorter_content(size, tmp_path):
    """For such a file, zlib raises no error but returns what it has decompressed so far."""
    path = tmp_path / "cut.gz"
    path.write_bytes(gz_images[:size])
    with pytest.raises(DataError, match=r"undamaged gzip file\n.*end too early"):
        published.decompressed(path, len(gzip.decompress(gz_images)))


def test_a_gzip_bomb_takes_no_memory(tmp_path):
    """The file has 300 MB after a correct header; at most one byte too many is read."""
    path = tmp_path / "bomb.gz"
    bomb = zlib.compressobj(9, wbits=31)
    megabyte = bytes(2**20)
    path.write_bytes(
        bomb.compress(images[:16])
        + b"".join(bomb.compress(megabyte) for _ in range(300))
        + bomb.flush()
    )
    tracemalloc.start()
    try:
        assert len(published.decompressed(path, 47_056)) == 47_057
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_a_folder_in_a_files_place_is_refused(tmp_path):
    with pytest.raises(DataError, match="must be a readable file"):
        published.decompressed(tmp_path, 47_056)


def test_files_with_checksums_of_their_gz_are_verified_by_those(tmp_path):
    table = small_mnist.published(sums_of="gz")
    folder = small_mnist.write(tmp_path / "data")
    assert published.read(table, folder).sha256 == {
        file.name: file.sha256 for file in small_mnist.published().files
    }
    path = folder / f"{TRAIN_LABELS}.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=1, mtime=1))
    with pytest.raises(DataError, match="must be the published file, with MD5"):
        published.read(table, folder)


def test_files_with_checksums_of_their_gz_are_not_read_decompressed(tmp_path):
    folder = small_mnist.write(tmp_path / "data", gz=False)
    table = small_mnist.published(sums_of="gz")
    assert published.missing(table, folder) == list(table.files)


def test_an_invalid_deflate_block_is_refused(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes(1000))[:10] + b"\xff" * 50)
    with pytest.raises(DataError, match="must be an undamaged gzip file"):
        published.decompressed(path, 47_056)


def test_a_folder_with_the_name_of_a_file_is_skipped(tmp_path):
    folder = small_mnist.write(tmp_path / "data")
    (folder / TRAIN_IMAGES).mkdir()
    published.read(small_mnist.published(), folder)


def test_a_decompressed_file_is_read_before_a_compressed_one(tmp_path):
    folder = small_mnist.write(tmp_path / "data", gz=False)
    (folder / f"{TRAIN_IMAGES}.gz").write_bytes(b"something else")
    published.read(small_mnist.published(), folder)
