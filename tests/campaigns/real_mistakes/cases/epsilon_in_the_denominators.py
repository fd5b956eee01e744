"""The derivative has a small constant in its denominators, which the loss does not have.

https://github.com/apache/mxnet/issues/7116
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,3 --activation=tanh --loss=binary_cross_entropy"
LINES = ["delta 2"]
NAMES = []

EPS = 1e-6


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def loss_backward(p, y):
    eps = EPS  # right: eps = 0.0
    return -y / (p + eps) + (1.0 - y) / (1.0 - p - eps)


def gradient(params, images, labels):
    hidden = np.tanh(images @ params[1]["weight"].T + params[1]["bias"])
    p = sigmoid(hidden @ params[2]["weight"].T + params[2]["bias"])
    grad = loss_backward(p, labels) * p * (1.0 - p) / p.shape[0]
    back = grad @ params[2]["weight"] * (1.0 - hidden * hidden)
    return [
        {},
        {"weight": back.T @ images, "bias": back.sum(axis=0)},
        {"weight": grad.T @ hidden, "bias": grad.sum(axis=0)},
    ]
