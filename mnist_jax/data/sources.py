"""Which source a run reads: the folder that was named, the cache, the mirrors, or the digits."""

import os
from collections.abc import Callable
from pathlib import Path

import pooch

from manual_grads.cli import paths
from mnist_jax.config import Config
from mnist_jax.data.dataset import DataError, Dataset, Examples
from mnist_jax.data.download import DownloadError, download
from mnist_jax.data.published import FASHION_MNIST, MNIST, Published, missing, read

HOW_TO_GET_MNIST = "its four files in a folder named by --data_dir, or one run while online"


def load(config: Config, say: Callable[[str], None] = print) -> Dataset:
    """The dataset that the config names. Raises `DataError`; says what it trains on if it chose.

    `auto` is MNIST, and the digits only where MNIST is nowhere to be had: a MNIST file that is
    present but wrong, or a named folder that lacks them, is an error.
    """
    if config.dataset == "digits":
        dataset = _digits()
    elif config.dataset == "fashion_mnist":
        dataset = _published(FASHION_MNIST, config.data_dir)
    else:
        try:
            dataset = _published(MNIST, config.data_dir or os.environ.get("MNIST_DATA_DIR"))
        except UnavailableError as reason:
            if config.dataset == "mnist":
                raise
            say(
                "training on scikit-learn's 1,797 small digits, for MNIST is not at hand "
                f"({reason.why}); to get MNIST: {HOW_TO_GET_MNIST}"
            )
            dataset = _digits()
    return _divided(dataset, config.train_examples, config.validation_examples)


class UnavailableError(DataError):
    """The files are neither at hand nor to be downloaded; `why` is the reason alone."""

    def __init__(self, name: str, why: str):
        super().__init__(f"{name} must be at hand or to be downloaded", why, HOW_TO_GET_MNIST)
        self.why = why


def cache(published: Published) -> Path:
    """The folder of the user's cache in which the files of a dataset are kept."""
    return Path(pooch.os_cache("mnist_jax")) / published.name


def _published(published: Published, folder: str | None) -> Dataset:
    """The dataset from the named folder, else from the cache, downloading what that lacks."""
    if folder:
        place = paths.of_user(folder)
        absent = missing(published, place)
        if absent:
            raise DataError(
                f"{folder} must be a folder that holds the four files of {published.name}",
                f"no {', '.join(file.gz for file in absent)} in it"
                if place.is_dir()
                else "no such folder",
                "--data_dir=FOLDER that does, or neither it nor MNIST_DATA_DIR, to download them",
            )
        return read(published, place)
    place = cache(published)
    absent = missing(published, place)
    if absent:
        try:
            download(published, absent, place)
        except DownloadError as error:
            raise UnavailableError(published.name, str(error)) from None
        except OSError as error:
            raise UnavailableError(
                published.name, f"the cache cannot be written: {error}"
            ) from None
    return read(published, place)


def _digits() -> Dataset:
    from mnist_jax.data import (
        digits,
    )  # scikit-learn takes a second to import; MNIST needs none of it

    return digits.read()


def _divided(dataset: Dataset, train: int | None, validation: int | None) -> Dataset:
    """The last `validation` training examples held out, and of the others the first `train`."""
    images, labels = dataset.train
    rest = len(labels) - (validation or 0)
    if rest < (train or 1):
        raise DataError(
            f"--train_examples and --validation_examples must be at most the {len(labels)} that "
            f"{dataset.name} has",
            " ".join(
                f"--{name}_examples={count}"
                for name, count in (("train", train), ("validation", validation))
                if count is not None
            ),
            "no --train_examples, for all of them" if validation is None else "fewer of either",
        )
    count = rest if train is None else train
    held_out = Examples(images[rest:], labels[rest:]) if validation else None
    return dataset._replace(train=Examples(images[:count], labels[:count]), validation=held_out)
