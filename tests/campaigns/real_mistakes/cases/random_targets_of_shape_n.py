"""The targets have shape (N,), so the residual is an N × N matrix and so is every gradient.

https://github.com/tiepvupsu/ebookMLCB/issues/29
"""

import numpy as np

FLAGS = "--layer_sizes=4,5,1 --activation=sigmoid --loss=half_squared_error --output=linear"
LINES = ["delta 2 | structure"]
NAMES = []


def gradient(params, images, labels):
    w, b = params[1]["weight"], params[1]["bias"]
    v, c = params[2]["weight"], params[2]["bias"]
    N = images.shape[0]
    y = labels.reshape(-1)  # right: y = labels.reshape(-1, 1)

    h = 1 / (1 + np.exp(-(images.dot(w.T) + b)))
    residual = h.dot(v.T) + c - y
    back = residual.dot(np.ones((residual.shape[1], 1))).dot(v) * h * (1 - h) / N
    dv, dc = residual.T.dot(h) / N, residual.mean(axis=0)
    return [{}, {"weight": back.T.dot(images), "bias": back.sum(0)}, {"weight": dv, "bias": dc}]
