"""The deltas of the hidden layers are weighted sums only: no derivative of the activation.

https://github.com/ujjwalkarn/Machine-Learning-Tutorials/pull/16
"""

import numpy as np

FLAGS = "--layer_sizes=4,5,6,3 --activation=sigmoid --loss=squared_error"
LINES = ["delta 1", "delta 2"]
NAMES = ["slope-missing"]


def f(e):
    return 1 / (1 + np.exp(-e))


def df(e):
    return f(e) * (1 - f(e))


def gradient(params, images, labels):
    w = [None] + [layer["weight"] for layer in params[1:]]
    b = [None] + [layer["bias"] for layer in params[1:]]
    grads = [{key: np.zeros_like(leaf) for key, leaf in layer.items()} for layer in params]
    for x, target in zip(images, labels, strict=True):
        y, e = [x], [None]
        for m in (1, 2, 3):
            e.append(w[m] @ y[-1] + b[m])
            y.append(f(e[m]))
        delta = 2 * (y[3] - target) / len(images) * df(e[3])
        for m in (3, 2, 1):
            grads[m]["weight"] += np.outer(delta, y[m - 1])
            grads[m]["bias"] += delta
            if m > 1:
                delta = w[m].T @ delta
                # right: delta = delta * df(e[m - 1])
    return grads
