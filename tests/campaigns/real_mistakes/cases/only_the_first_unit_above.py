"""The chain rule for the first layer goes through the first unit of the second layer only.

https://github.com/prakashjayy/medium_blogs/issues/2
"""

import numpy as np

FLAGS = "--layer_sizes=4,5,6,3 --activation=sigmoid --loss=cross_entropy"
LINES = ["delta 1"]
NAMES = []


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gradient(params, images, labels):
    wij, wjk, wkl = (p["weight"] for p in params[1:])
    bj, bk, bl = (p["bias"] for p in params[1:])
    h1 = sigmoid(images @ wij.T + bj)
    h2 = sigmoid(h1 @ wjk.T + bk)
    o = np.exp(h2 @ wkl.T + bl)
    o /= o.sum(axis=1, keepdims=True)

    dl = o - np.eye(3)[labels]
    dk = dl @ wkl * h2 * (1 - h2)
    dj = np.zeros_like(h1)
    for k in range(1):  # right: for k in range(len(wjk)):
        dj += np.outer(dk[:, k], wjk[k])
    dj *= h1 * (1 - h1)

    n = len(images)
    return [{}] + [
        {"weight": d.T @ a / n, "bias": d.mean(axis=0)}
        for d, a in ((dj, images), (dk, h1), (dl, h2))
    ]
