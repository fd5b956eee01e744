"""The weight gradient is accumulated over the examples in half precision.

https://github.com/apache/mxnet/issues/17703
"""

import numpy as np

FLAGS = "--layer_sizes=7,6,4 --activation=tanh --loss=cross_entropy"
LINES = ["weight 1", "weight 2"]
NAMES = ["low-precision"]


def accumulate(deltas, inputs):
    total = np.zeros((deltas.shape[1], inputs.shape[1]))
    total = total.astype(np.float16)  # right: total = total.astype(np.float64)
    for d, a in zip(deltas, inputs, strict=True):
        total += np.outer(d, a)
    return total.astype(np.float64)


def gradient(params, images, labels):
    h = np.tanh(images @ params[1]["weight"].T + params[1]["bias"])
    z = h @ params[2]["weight"].T + params[2]["bias"]
    z = z - z.max(axis=1, keepdims=True)
    d2 = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    d2[np.arange(len(z)), labels] -= 1
    d2 /= len(z)
    d1 = d2 @ params[2]["weight"] * (1 - h * h)
    return [
        {},
        {"weight": accumulate(d1, images), "bias": np.add.reduce(d1)},
        {"weight": accumulate(d2, h), "bias": np.add.reduce(d2)},
    ]
