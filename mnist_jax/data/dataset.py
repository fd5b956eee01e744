"""The types that every source of data returns."""

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from manual_grads.cli import InputError


class DataError(InputError):
    """A data file is missing, damaged or unreadable, or has too few examples."""


REPAIR = "replace it with the published file; if it is in the cache, delete it to download it again"


class Examples(NamedTuple):
    """Images with pixels from 0 (background) to 255 (ink), and the class of each image, 0–9."""

    images: UInt8[np.ndarray, "examples height width"]
    labels: UInt8[np.ndarray, " examples"]


class Dataset(NamedTuple):
    """The training, test and validation examples, and the `name` of the source.

    `sha256` maps each file name to the digest of the file's decompressed bytes.
    """

    name: str
    train: Examples
    test: Examples
    sha256: dict[str, str]
    validation: Examples | None = None
