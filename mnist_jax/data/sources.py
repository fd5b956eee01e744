"""Chooses the source of the data: a given folder, the user's cache, a mirror, or scikit-learn."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import platformdirs

from manual_grads.cli import paths
from mnist_jax.background import started
from mnist_jax.config import Config
from mnist_jax.data.dataset import DataError, Dataset, Examples
from mnist_jax.data.published import FASHION_MNIST, MNIST, Published, missing, read

HOW_TO_GET_MNIST = "put its four files into a folder and give --data_dir, or run once while online"
Say = Callable[[str], None]


def load(config: Config, say: Say = print) -> Dataset:
    """The dataset that the config names. Raises `DataError`.

    `say` is called with a message that names the source, before the source is read.
    """
    return begin(config, say)()


def begin(config: Config, say: Say = print) -> Callable[[], Dataset]:
    """Starts to read the files in a thread, and returns a function that waits for the dataset.

    Both functions can raise `DataError`. The dataset `auto` is MNIST if a given folder, the cache
    or a mirror has it, else scikit-learn's digits, which are read without a thread. Even with
    `auto`, a file with wrong content, or a given folder that lacks a file, is an error.
    """
    if config.dataset == "digits":
        reading = _digits("reading digits, the 1,797 small images in scikit-learn", say)
    elif config.dataset == "fashion_mnist":
        reading = _published(FASHION_MNIST, config.data_dir, say)
    else:
        try:
            reading = _published(MNIST, config.data_dir or os.environ.get("MNIST_DATA_DIR"), say)
        except UnavailableError as reason:
            if config.dataset == "mnist":
                raise
            reading = _digits(
                "reading scikit-learn's 1,797 small digits, because MNIST is not available "
                f"({reason.why}); to get MNIST: {HOW_TO_GET_MNIST}",
                say,
            )
    return lambda: _divided(reading(), config.train_examples, config.validation_examples)


class UnavailableError(DataError):
    """The files are neither on this machine nor on a mirror. `why` is the reason."""

    def __init__(self, name: str, why: str):
        expected = f"{name} must be on this machine, or on a mirror that can be reached"
        super().__init__(expected, why, HOW_TO_GET_MNIST)
        self.why = why


def cache(published: Published) -> Path:
    """The folder of the user's cache that keeps the files of a dataset."""
    return platformdirs.user_cache_path("mnist_jax") / published.name


def _published(published: Published, folder: str | None, say: Say) -> Callable[[], Dataset]:
    """Starts to read `folder`, or else the cache, after downloading what the cache lacks."""
    place = paths.of_user(folder) if folder else cache(published)
    absent = missing(published, place)
    doing = "reading {} from" if folder or not absent else "{} will be downloaded into"
    say(f"{doing.format(published.name)} {place}")
    if absent and folder:
        raise DataError(
            f"{folder} must be a folder that holds the four files of {published.name}",
            f"no {', '.join(file.gz for file in absent)} in it"
            if place.is_dir()
            else "no such folder",
            "--data_dir=FOLDER with these files; to download them, omit --data_dir and unset "
            "MNIST_DATA_DIR",
        )
    if absent:
        _download(published, absent, place)
    return started(partial(read, published, place)).result


def _download(published: Published, absent: list, place: Path) -> None:
    """Downloads the absent files into the cache. Raises `UnavailableError`."""
    from mnist_jax.data.download import DownloadError, download  # here: slow to import

    try:
        download(published, absent, place)
    except DownloadError as error:
        raise UnavailableError(published.name, str(error)) from None
    except OSError as error:
        why = f"the cache cannot be written: {error}"
        raise UnavailableError(published.name, why) from None


def _digits(line: str, say: Say) -> Callable[[], Dataset]:
    say(line)
    from mnist_jax.data import digits  # here: importing scikit-learn takes a second

    return digits.read


def _divided(dataset: Dataset, train: int | None, validation: int | None) -> Dataset:
    """Holds out the last `validation` training examples; keeps the first `train` of the rest."""
    images, labels = dataset.train
    rest = len(labels) - (validation or 0)
    if rest < (train or 1):
        raise DataError(
            f"--train_examples and --validation_examples together must be at most {len(labels)}, "
            f"the training examples of {dataset.name}",
            " ".join(
                f"--{name}_examples={count}"
                for name, count in (("train", train), ("validation", validation))
                if count is not None
            ),
            "omit --train_examples to use all" if validation is None else "smaller numbers",
        )
    count = rest if train is None else train
    held_out = Examples(images[rest:], labels[rest:]) if validation else None
    return dataset._replace(train=Examples(images[:count], labels[:count]), validation=held_out)
