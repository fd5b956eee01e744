"""The error term keeps the slope of the output's sigmoid, which the derivative of the binary
cross-entropy has already cancelled.

https://github.com/udacity/deep-learning-v2-pytorch/issues/75
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,1 --activation=sigmoid --loss=binary_cross_entropy"
LINES = ["delta 2"]
NAMES = ["other-loss"]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_prime(x):
    return sigmoid(x) * (1 - sigmoid(x))


def error_term_formula(x, y, output):
    return (output - y) * sigmoid_prime(x)  # right: return output - y


def gradient(params, images, labels):
    total = [{}] + [{k: np.zeros_like(v) for k, v in p.items()} for p in params[1:]]
    for x, y in zip(images, labels, strict=True):
        before = params[1]["weight"] @ x + params[1]["bias"]
        hidden = sigmoid(before)
        h = params[2]["weight"] @ hidden + params[2]["bias"]
        error_term = error_term_formula(h, y, sigmoid(h))
        hidden_term = (error_term @ params[2]["weight"]) * sigmoid_prime(before)
        total[2]["weight"] += error_term[:, None] * hidden[None, :]
        total[2]["bias"] += error_term
        total[1]["weight"] += hidden_term[:, None] * x[None, :]
        total[1]["bias"] += hidden_term
    return [{k: v / len(images) for k, v in p.items()} for p in total]
