"""The bias gradients are written into arrays of integers, which cut off all decimals.

https://github.com/nu-radio/NuRadioMC/issues/1061
"""

import numpy as np

FLAGS = "--layer_sizes=5,3,2 --activation=sigmoid --loss=squared_error"
LINES = ["bias 1 | structure", "bias 2 | structure"]
NAMES = ["unwritten", "low-precision"]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def column_sums(delta):
    sums = np.array([0] * delta.shape[1])  # right: sums = np.array([0.0] * delta.shape[1])
    for unit in range(delta.shape[1]):
        sums[unit] = delta[:, unit].sum()
    return sums


def gradient(params, images, labels):
    w1, w2 = params[1]["weight"], params[2]["weight"]
    hidden = sigmoid(images @ w1.T + params[1]["bias"])
    guess = sigmoid(hidden @ w2.T + params[2]["bias"])
    back2 = (guess - labels) * guess * (1 - guess) * 2 / len(images)
    back1 = back2 @ w2 * hidden * (1 - hidden)
    return [
        {},
        {"weight": back1.T @ images, "bias": column_sums(back1)},
        {"weight": back2.T @ hidden, "bias": column_sums(back2)},
    ]
