"""The ReLU replaces the upstream gradient by 0 or 1: the `*` of `*=` is missing.

https://github.com/haifengl/smile/issues/528
"""

import numpy as np

FLAGS = "--layer_sizes=7,6,4 --activation=relu --loss=cross_entropy"
LINES = ["delta 1"]
NAMES = []


def rectify_gradient(g, y):
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            g[i, j] = 1 if y[i, j] > 0 else 0  # right: g[i, j] *= 1 if y[i, j] > 0 else 0


def gradient(params, images, labels):
    x = images.T
    w1, b1 = params[1]["weight"], params[1]["bias"][:, None]
    w2, b2 = params[2]["weight"], params[2]["bias"][:, None]
    y = w1 @ x + b1
    h = np.maximum(y, 0)
    scores = w2 @ h + b2
    p = np.exp(scores - scores.max(axis=0))
    p /= p.sum(axis=0)
    p[labels, np.arange(len(labels))] -= 1
    g2 = p / len(labels)
    g1 = w2.T @ g2
    rectify_gradient(g1, y)
    return [
        {},
        {"weight": g1 @ x.T, "bias": g1.sum(axis=1)},
        {"weight": g2 @ h.T, "bias": g2.sum(axis=1)},
    ]
