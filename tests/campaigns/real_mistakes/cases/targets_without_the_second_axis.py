"""Predictions of shape (N, 1) minus targets of shape (N,) is an (N, N) matrix, and the mean of it
trains every output towards the mean of all targets.

https://github.com/manzilzaheer/DeepSets/pull/1
"""

import numpy as np

FLAGS = "--layer_sizes=5,6,1 --activation=tanh --loss=squared_error"
LINES = ["delta 2"]
NAMES = []


def forward(params, x):
    cache = {"x": x}
    cache["h"] = np.tanh(x @ params[1]["weight"].T + params[1]["bias"])
    cache["y_pred"] = np.tanh(cache["h"] @ params[2]["weight"].T + params[2]["bias"])
    return cache


def mse_backward(y_pred, y):
    difference = y_pred - y
    return 2.0 * difference.mean(axis=1, keepdims=True) / len(y_pred)


def gradient(params, images, labels):
    cache = forward(params, images)
    y = labels[:, 0]  # right: y = labels
    dy = mse_backward(cache["y_pred"], y)
    dz2 = dy * (1.0 - cache["y_pred"] ** 2)
    dz1 = (dz2 @ params[2]["weight"]) * (1.0 - cache["h"] ** 2)
    return [
        {},
        {"weight": dz1.T @ cache["x"], "bias": dz1.sum(axis=0)},
        {"weight": dz2.T @ cache["h"], "bias": dz2.sum(axis=0)},
    ]
