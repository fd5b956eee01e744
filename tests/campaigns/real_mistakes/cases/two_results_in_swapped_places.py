"""Two results of the backward kernel are stored into each other's place.

https://github.com/unslothai/unsloth/issues/3314
"""

import numpy as np

FLAGS = "--layer_sizes=6,4,4,4 --activation=sigmoid --loss=squared_error"
LINES = ["weight 2", "weight 3"]
NAMES = ["permuted"]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def store(buffer, block, key):
    buffer[key][...] = block


def gradient(params, images, labels):
    (w1, b1), (w2, b2), (w3, b3) = ((p["weight"], p["bias"]) for p in params[1:])
    a1 = sigmoid(images @ w1.T + b1)
    a2 = sigmoid(a1 @ w2.T + b2)
    a3 = sigmoid(a2 @ w3.T + b3)
    d3 = 2 * (a3 - labels) / len(labels) * a3 * (1 - a3)
    d2 = d3 @ w3 * a2 * (1 - a2)
    d1 = d2 @ w2 * a1 * (1 - a1)

    out = [{name: np.empty(array.shape) for name, array in p.items()} for p in params]
    for layer, delta in ((1, d1), (2, d2), (3, d3)):
        store(out[layer], delta.sum(axis=0), "bias")
    store(out[1], d1.T @ images, "weight")
    store(out[3], d2.T @ a1, "weight")  # right: store(out[2], d2.T @ a1, "weight")
    store(out[2], d3.T @ a2, "weight")  # right: store(out[3], d3.T @ a2, "weight")
    return out
