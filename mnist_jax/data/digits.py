"""The embedded dataset: 1,797 real handwritten digits of 8×8 pixels, which scikit-learn carries.

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
    """The digits in MNIST's form, 1,437 to train on and 360 to test.

    Each pixel becomes 3×3, framed by 2 of background (8·3 + 2·2 = 28), and 0–16 becomes 0–255.
    The split is stratified and always the same: the file's order is by writer, and the last 360
    are by others than the first.
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
