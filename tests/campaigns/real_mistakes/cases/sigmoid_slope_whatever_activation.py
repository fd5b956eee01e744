"""The backward pass multiplies by out (1 - out) in both layers, though the activation is tanh.

https://github.com/ttezel/nn/issues/8
"""

import numpy as np

FLAGS = "--layer_sizes=5,6,4 --activation=tanh --loss=squared_error"
LINES = ["delta 1", "delta 2"]
NAMES = ["slope-of-other"]


def gradient(params, images, labels):
    n = len(images)
    w1, w2 = params[1]["weight"], params[2]["weight"]
    hidden = np.tanh(images @ w1.T + params[1]["bias"])
    out = np.tanh(hidden @ w2.T + params[2]["bias"])

    output_signals = np.zeros_like(out)
    hidden_signals = np.zeros_like(hidden)
    for e in range(n):
        for k in range(out.shape[1]):
            o = out[e, k]
            slope = o * (1 - o)  # right: slope = 1 - o * o
            output_signals[e, k] = 2 * (o - labels[e, k]) * slope / n
        for j in range(hidden.shape[1]):
            h = hidden[e, j]
            slope = h * (1 - h)  # right: slope = 1 - h * h
            hidden_signals[e, j] = slope * np.dot(w2[:, j], output_signals[e])

    return [
        {},
        {"weight": hidden_signals.T @ images, "bias": hidden_signals.sum(axis=0)},
        {"weight": output_signals.T @ hidden, "bias": output_signals.sum(axis=0)},
    ]
