"""What every source of data returns."""

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from manual_grads.cli import InputError


class DataError(InputError):
    """A data file, or the folder it should be in, is not what it must be."""


REPAIR = "the published file in its place; in the user's cache, delete it to download it anew"


class Examples(NamedTuple):
    """Images, 0 the background and 255 the ink, and the digit or class 0–9 of each."""

    images: UInt8[np.ndarray, "examples height width"]
    labels: UInt8[np.ndarray, " examples"]


class Dataset(NamedTuple):
    """`name` of the source, the examples, and `sha256`: file → digest of its decompressed bytes.

    `validation` holds those of the training examples that are held out, if any are.
    """

    name: str
    train: Examples
    test: Examples
    sha256: dict[str, str]
    validation: Examples | None = None
