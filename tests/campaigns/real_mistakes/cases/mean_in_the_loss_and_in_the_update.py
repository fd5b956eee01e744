"""The loss is already a mean, and the gradient is divided by the batch size once more.

https://github.com/d2l-ai/d2l-en/pull/1000
"""

import math

import numpy as np

FLAGS = "--layer_sizes=6,4,3 --activation=gelu --loss=squared_error --output=linear"
LINES = ["batch | delta 2"]
NAMES = ["averaged-twice"]

ERF = np.frompyfunc(math.erf, 1, 1)


def cdf(z):
    return 0.5 * (1 + ERF(z / np.sqrt(2)).astype(float))


def squared_loss_backward(y_hat, y):
    grad = 2 * (y_hat - y)
    return grad / len(y)  # right: return grad


def gradient(params, images, labels):
    batch_size = len(images)
    z = images @ params[1]["weight"].T + params[1]["bias"]
    h = z * cdf(z)
    y_hat = h @ params[2]["weight"].T + params[2]["bias"]

    dy = squared_loss_backward(y_hat, labels)
    dz = (dy @ params[2]["weight"]) * (cdf(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi))
    grads = [
        {},
        {"weight": dz.T @ images, "bias": dz.sum(axis=0)},
        {"weight": dy.T @ h, "bias": dy.sum(axis=0)},
    ]
    return [{name: g / batch_size for name, g in layer.items()} for layer in grads]
