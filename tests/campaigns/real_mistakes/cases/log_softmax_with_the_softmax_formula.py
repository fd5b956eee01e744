"""The log-softmax subtracts the product of gradient and output, as if it were a softmax.
Right is the probability times the sum of the gradient.

https://github.com/uxlfoundation/oneDNN/issues/616
"""

import numpy as np

FLAGS = "--layer_sizes=6,7,4 --activation=leaky_relu --negative_slope=0.1 --loss=cross_entropy"
LINES = ["delta 2"]
NAMES = []


def log_softmax(z):
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def log_softmax_backward(gy, y):
    part = (gy * y).sum(axis=1, keepdims=True)  # right: part = np.exp(y) * gy.sum(1, keepdims=True)
    return gy - part


def gradient(params, images, labels):
    z1 = images @ params[1]["weight"].T + params[1]["bias"]
    slope = np.where(z1 > 0, 1.0, 0.1)
    z2 = (z1 * slope) @ params[2]["weight"].T + params[2]["bias"]
    logp = log_softmax(z2)

    d_logp = np.zeros_like(logp)
    d_logp[np.arange(len(labels)), labels] = -1.0 / len(labels)
    d2 = log_softmax_backward(d_logp, logp)
    d1 = d2 @ params[2]["weight"] * slope
    return [
        {},
        {"weight": d1.T @ images, "bias": d1.sum(axis=0)},
        {"weight": d2.T @ (z1 * slope), "bias": d2.sum(axis=0)},
    ]
