"""Weights and biases lie in one matrix, and the weight decay is applied to all of it.

https://github.com/rasmusbergpalm/DeepLearnToolbox/issues/32
"""

import numpy as np

FLAGS = "--layer_sizes=7,6,4 --activation=tanh --loss=half_squared_error --l2=0.1"
LINES = ["bias 1", "bias 2"]
NAMES = ["regulariser"]

PENALTY = 0.1


def gradient(params, images, labels):
    # the bias is column 0, as in the toolbox
    W = [np.column_stack([p["bias"], p["weight"]]) for p in params[1:]]
    m = len(images)
    a0 = np.column_stack([np.ones(m), images])
    a1 = np.column_stack([np.ones(m), np.tanh(a0 @ W[0].T)])
    a2 = np.tanh(a1 @ W[1].T)

    d2 = (a2 - labels) * (1 - a2**2)
    d1 = (d2 @ W[1])[:, 1:] * (1 - a1[:, 1:] ** 2)
    dW = [d1.T @ a0 / m, d2.T @ a1 / m]
    for grad, weights in zip(dW, W, strict=True):
        grad += PENALTY * weights  # right: grad[:, 1:] += PENALTY * weights[:, 1:]
    return [{}] + [{"weight": g[:, 1:], "bias": g[:, 0]} for g in dW]
