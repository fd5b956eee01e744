"""g'(Z1) is read as a product: the slope is multiplied by Z1.

https://community.deeplearning.ai/t/wrong-values-for-dw1/85937
"""

import numpy as np

FLAGS = "--layer_sizes=4,6,3 --activation=tanh --loss=cross_entropy"
LINES = ["delta 1"]
NAMES = ["slope-of-other"]


def forward(params, X):
    cache = {"Z1": params[1]["weight"] @ X + params[1]["bias"][:, np.newaxis]}
    cache["A1"] = np.tanh(cache["Z1"])
    cache["Z2"] = params[2]["weight"] @ cache["A1"] + params[2]["bias"][:, np.newaxis]
    E = np.exp(cache["Z2"] - cache["Z2"].max(axis=0))
    cache["A2"] = E / E.sum(axis=0)
    return cache


def gradient(params, images, labels):
    X = images.T
    m = X.shape[1]
    Y = np.zeros((3, m))
    Y[labels, np.arange(m)] = 1
    cache = forward(params, X)
    A1, Z1 = cache["A1"], cache["Z1"]

    dZ2 = cache["A2"] - Y
    g = 1 - np.power(A1, 2)
    dA1 = params[2]["weight"].T @ dZ2
    dZ1 = dA1 * (g * Z1)  # right: dZ1 = dA1 * g
    return [
        {},
        {"weight": dZ1 @ X.T / m, "bias": dZ1.sum(axis=1) / m},
        {"weight": dZ2 @ A1.T / m, "bias": dZ2.sum(axis=1) / m},
    ]
