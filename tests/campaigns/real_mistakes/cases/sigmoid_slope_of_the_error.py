"""The error of a hidden unit is the weight times the sigmoid's derivative at the error above it.

https://techfeed.net/es/468648/

The person's weight gradient was wrong too (it had the weight as a factor); it is right here.
"""

import numpy as np

FLAGS = "--layer_sizes=3,6,4 --activation=sigmoid --loss=squared_error"
LINES = ["delta 1"]
NAMES = []


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_derivative(x):
    return sigmoid(x) * (1 - sigmoid(x))


def gradient(params, images, labels):
    w1, b1, w2, b2 = (params[i][key] for i in (1, 2) for key in ("weight", "bias"))
    grads = [{key: np.zeros_like(leaf) for key, leaf in layer.items()} for layer in params]
    for x, y in zip(images, labels, strict=True):
        s1 = w1 @ x + b1
        h = sigmoid(s1)
        s2 = w2 @ h + b2
        last_error = 2 * (sigmoid(s2) - y) * sigmoid_derivative(s2)
        error = np.zeros(len(h))
        for j in range(len(h)):
            for k in range(len(last_error)):
                part = sigmoid_derivative(last_error[k])  # right: part = last_error[k]
                error[j] += part * w2[k, j]
            # right: error[j] *= sigmoid_derivative(s1[j])
        grads[1]["weight"] += np.outer(error, x)
        grads[1]["bias"] += error
        grads[2]["weight"] += np.outer(last_error, h)
        grads[2]["bias"] += last_error
    return [{key: leaf / len(images) for key, leaf in layer.items()} for layer in grads]
