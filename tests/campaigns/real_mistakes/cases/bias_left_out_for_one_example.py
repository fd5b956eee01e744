"""Bias gradients are computed only if there is more than one row in the batch.

https://github.com/deeplearning4j/deeplearning4j/pull/364
"""

import numpy as np

FLAGS = "--layer_sizes=8,9,6 --activation=sigmoid --loss=cross_entropy"
LINES = ["bias 1 | batch", "bias 2 | batch"]
NAMES = []


def softmax(rows):
    rows = np.exp(rows - rows.max(axis=1, keepdims=True))
    return rows / rows.sum(axis=1, keepdims=True)


def layer_gradient(delta, activations):
    grad = {"weight": delta.T @ activations, "bias": np.zeros(delta.shape[1])}
    if delta.shape[0] > 1:  # right: if delta.shape[0] > 0:
        grad["bias"] = delta.sum(axis=0)
    return grad


def gradient(params, images, labels):
    hidden, output = params[1:]
    a = 1 / (1 + np.exp(-(images @ hidden["weight"].T + hidden["bias"])))
    p = softmax(a @ output["weight"].T + output["bias"])
    delta2 = (p - (labels[:, None] == np.arange(p.shape[1]))) / labels.size
    delta1 = delta2 @ output["weight"] * a * (1 - a)
    return [{}, layer_gradient(delta1, images), layer_gradient(delta2, a)]
