"""The dataset that needs no download: scikit-learn's 1,797 handwritten digits of 8×8 pixels.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
"""

import hashlib

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mnist_jax.data.dataset import Dataset, Examples

TEST_EXAMPLES = 360
SPLIT_SEED = 0


def read() -> Dataset:
    """The digits as 28×28 images, 1,437 for training and 360 for testing.

    Each pixel is repeated 3×3 times, a border of 2 background pixels is added (8·3 + 2·2 = 28),
    and the values 0–16 are scaled to 0–255. The split is stratified and always the same. The digits
    are shuffled, because the file is sorted by writer: its last 360 digits are by other writers.
    """
    pixels, labels = load_digits(return_X_y=True)
    small = np.rint(pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    images = np.pad(small.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))
    labels = labels.astype(np.uint8)
    train, test = map(
        np.asarray,
        train_test_split(
            np.arange(len(labels)),
            test_size=TEST_EXAMPLES,
            stratify=labels,
            random_state=SPLIT_SEED,
        ),
    )
    return Dataset(
        "digits",
        Examples(images[train], labels[train]),
        Examples(images[test], labels[test]),
        {
            "digits-images": hashlib.sha256(images.tobytes()).hexdigest(),
            "digits-labels": hashlib.sha256(labels.tobytes()).hexdigest(),
        },
    )
