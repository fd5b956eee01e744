"""The choice of the source of data, and the messages about it."""

import hashlib
from pathlib import Path

import numpy as np
import pooch
import pytest
from sklearn.datasets import load_digits

from mnist_jax import data
from mnist_jax.config import Config
from mnist_jax.data import DataError, published, sources
from tests.mnist_jax.data import small_mnist
from tests.mnist_jax.data.test_download import dead_mirror, mirror


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Replaces MNIST by a small dataset, whose only mirror does not answer."""
    with dead_mirror() as address:
        monkeypatch.setattr(sources, "MNIST", small_mnist.published(address))
        fashion = small_mnist.published(address, sums_of="gz")._replace(name="fashion_mnist")
        monkeypatch.setattr(sources, "FASHION_MNIST", fashion)
        yield


def test_data_dir_is_read_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_DATA_DIR", str(tmp_path / "absent"))
    folder = small_mnist.write(tmp_path / "data")
    assert data.load(Config(data_dir=str(folder))).name == "mnist"


def test_the_environment_is_read_before_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_DATA_DIR", str(small_mnist.write(tmp_path / "data")))
    assert data.load(Config()).name == "mnist"


def test_the_cache_is_read_where_no_folder_is_named():
    small_mnist.write(sources.cache(sources.MNIST))
    assert data.load(Config()).name == "mnist"


def test_an_empty_cache_is_filled_from_a_mirror(monkeypatch):
    with mirror() as address:
        monkeypatch.setattr(sources, "MNIST", small_mnist.published(address))
        assert data.load(Config()).name == "mnist"
    assert data.load(Config()).name == "mnist"  # from the cache: no mirror runs


def test_a_cache_that_lacks_one_file_downloads_that_one(monkeypatch, capsys):
    folder = small_mnist.write(sources.cache(sources.MNIST))
    (folder / f"{published.NAMES[1]}.gz").unlink()
    with mirror() as address:
        monkeypatch.setattr(sources, "MNIST", small_mnist.published(address))
        data.load(Config())
    assert capsys.readouterr().out.count("downloading") == 1


@pytest.mark.parametrize("dataset", ["auto", "mnist"])
@pytest.mark.parametrize("by", ["flag", "environment"])
def test_a_named_folder_that_lacks_the_files_is_an_error(tmp_path, monkeypatch, dataset, by):
    folder = small_mnist.write(tmp_path / "data")
    (folder / f"{published.NAMES[2]}.gz").unlink()
    if by == "environment":
        monkeypatch.setenv("MNIST_DATA_DIR", str(folder))
    config = Config(dataset=dataset, data_dir=str(folder) if by == "flag" else None)
    with pytest.raises(DataError, match=r"the four files of mnist\n  got:      no t10k-images"):
        data.load(config)


def test_a_named_folder_that_is_missing_is_an_error():
    with pytest.raises(DataError, match="no such folder"):
        data.load(Config(data_dir="absent"))


def test_auto_without_mnist_uses_digits_and_reports_it_in_one_line():
    said = []
    dataset = data.load(Config(), said.append)
    assert dataset.name == "digits"
    _, line = said
    assert "\n" not in line
    assert "1,797 small digits" in line
    assert "--data_dir" in line


def test_auto_with_a_cache_that_cannot_be_written_is_digits(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    said = []
    assert data.load(Config(), said.append).name == "digits"
    assert "the cache cannot be written" in said[-1]


def test_auto_with_a_wrong_mnist_file_is_an_error_never_digits():
    folder = small_mnist.write(sources.cache(sources.MNIST))
    (folder / f"{published.NAMES[0]}.gz").write_bytes(b"something else")
    with pytest.raises(DataError, match="train-images"):
        data.load(Config())


def test_mnist_that_is_not_available_is_an_error():
    with pytest.raises(DataError, match=r"mnist must be on this machine.*\n.*refused"):
        data.load(Config(dataset="mnist"))


def test_fashion_mnist_is_not_read_from_the_folder_of_mnist(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_DATA_DIR", str(small_mnist.write(tmp_path / "data")))
    with pytest.raises(DataError, match="fashion_mnist must be on this machine"):
        data.load(Config(dataset="fashion_mnist"))
    small_mnist.write(sources.cache(sources.FASHION_MNIST))
    assert data.load(Config(dataset="fashion_mnist")).name == "fashion_mnist"


def test_train_examples_takes_the_first(tmp_path):
    folder = str(small_mnist.write(tmp_path / "data"))
    whole, first = (data.load(Config(data_dir=folder, train_examples=n)) for n in (None, 7))
    assert np.array_equal(first.train.images, whole.train.images[:7])
    assert np.array_equal(first.train.labels, whole.train.labels[:7])
    assert len(first.test.labels) == 20


def test_all_train_examples_may_be_asked_for_by_their_number(tmp_path):
    folder = str(small_mnist.write(tmp_path / "data"))
    assert len(data.load(Config(data_dir=folder, train_examples=60)).train.labels) == 60


def test_each_dataset_has_a_cache_of_its_own():
    assert sources.cache(sources.MNIST) != sources.cache(sources.FASHION_MNIST)


def test_more_train_examples_than_there_are_is_an_error(tmp_path):
    folder = str(small_mnist.write(tmp_path / "data"))
    with pytest.raises(DataError, match="must be at most 60, the training examples of mnist"):
        data.load(Config(data_dir=folder, train_examples=61))


def test_the_digits_are_split_evenly_and_always_the_same():
    dataset, again = (
        data.load(Config(dataset="digits")),
        data.load(Config(dataset="digits", seed=1)),
    )
    assert dataset.train.images.shape == (1437, 28, 28)
    assert dataset.test.images.shape == (360, 28, 28)
    assert np.array_equal(dataset.train.images, again.train.images)
    shares = [np.bincount(part.labels) / len(part.labels) for part in (dataset.train, dataset.test)]
    assert np.abs(shares[0] - shares[1]).max() < 1 / 360
    assert dataset.train.images.max() == 255


def test_each_digit_stands_upright_in_the_middle_each_pixel_as_3_by_3():
    pixels = load_digits(return_X_y=True)[0].reshape(-1, 8, 8)
    images = np.concatenate([part.images for part in data.load(Config(dataset="digits"))[1:3]])
    assert not images[:, [0, 1, -2, -1], :].any()
    assert not images[:, :, [0, 1, -2, -1]].any()
    blocks = images[:, 2:-2, 2:-2].reshape(-1, 8, 3, 8, 3)
    assert np.array_equal(blocks.max(axis=(2, 4)), blocks.min(axis=(2, 4)))
    found = {image.tobytes() for image in np.rint(blocks[:, :, 0, :, 0] * (16 / 255))}
    assert found == {image.tobytes() for image in pixels}


def test_the_digits_are_the_published_ones():
    sums = data.load(Config(dataset="digits")).sha256
    _, labels = load_digits(return_X_y=True)
    assert sums == {
        "digits-images": "331918d8109ff7047c13dba1cd71b6d83d36d80731fc70c2cbb4bf1cbd4cc56b",
        "digits-labels": hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest(),
    }


def test_the_checksums_of_fashion_mnist_are_the_published_ones():
    assert {file.name: file.compressed for file in published.FASHION_MNIST.files} == {
        "train-images-idx3-ubyte": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "md5:25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "md5:bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    }


def test_the_real_mnist_is_the_published_one(mnist_data_dir, monkeypatch):
    monkeypatch.setattr(sources, "MNIST", published.MNIST)
    dataset = data.load(Config(data_dir=mnist_data_dir))
    assert dataset.train.images.shape == (60_000, 28, 28)
    assert np.bincount(dataset.test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert np.mean(dataset.train.images == 0) == pytest.approx(0.81, abs=0.005)


def test_the_checksums_of_the_compressed_mnist_are_those_of_its_files(mnist_data_dir):
    for file in published.MNIST.files:
        algorithm, digest = file.compressed.split(":")
        assert pooch.file_hash(Path(mnist_data_dir) / file.gz, alg=algorithm) == digest
