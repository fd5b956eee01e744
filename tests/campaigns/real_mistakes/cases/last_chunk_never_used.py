"""Examples are collected until a chunk is full; an incomplete chunk at the end is lost.

https://github.com/tomhosking/torchseq/issues/8
"""

import numpy as np

FLAGS = "--layer_sizes=9,8,4 --activation=sigmoid --loss=squared_error"
LINES = ["batch"]
NAMES = ["overwritten"]

CHUNK = 3


def chunk_gradient(params, xs, ys):
    x, y = np.array(xs), np.array(ys)
    a1 = 1 / (1 + np.exp(-(x @ params[1]["weight"].T + params[1]["bias"])))
    a2 = 1 / (1 + np.exp(-(a1 @ params[2]["weight"].T + params[2]["bias"])))
    d2 = 2 * (a2 - y) * a2 * (1 - a2)
    d1 = d2 @ params[2]["weight"] * a1 * (1 - a1)
    return d1.T @ x, d1.sum(axis=0), d2.T @ a1, d2.sum(axis=0)


def gradient(params, images, labels):
    sums = [np.zeros_like(params[i][k]) for i in (1, 2) for k in ("weight", "bias")]
    xs, ys = [], []
    for i in range(len(images)):
        xs.append(images[i])
        ys.append(labels[i])
        full = len(xs) == CHUNK  # right: full = len(xs) == CHUNK or i == len(images) - 1
        if full:
            for s, g in zip(sums, chunk_gradient(params, xs, ys), strict=True):
                s += g
            xs, ys = [], []
    dw1, db1, dw2, db2 = (s / len(images) for s in sums)
    return [{}, {"weight": dw1, "bias": db1}, {"weight": dw2, "bias": db2}]
