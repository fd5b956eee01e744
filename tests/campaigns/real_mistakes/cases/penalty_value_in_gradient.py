"""The penalty itself, a number, is added to every weight's derivative instead of λW.

https://github.com/omar-florez/scratch_mlp/issues/5
"""

import numpy as np

FLAGS = "--layer_sizes=3,10,2 --activation=sigmoid --loss=half_squared_error --l2=0.01"
LINES = ["weight 1", "weight 2"]
NAMES = []

reg_coeff = 0.01


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def regularisation(w):
    return reg_coeff * np.square(w).sum()  # right: return reg_coeff * w


def gradient(params, X, y):
    w1, w2 = params[1]["weight"].T, params[2]["weight"].T
    N = X.shape[0]
    h1 = sigmoid(X @ w1 + params[1]["bias"])
    h2 = sigmoid(h1 @ w2 + params[2]["bias"])

    e2 = (h2 - y) / N * h2 * (1.0 - h2)
    g2 = h1.T @ e2 + regularisation(w2)
    e1 = e2 @ w2.T * h1 * (1.0 - h1)
    g1 = X.T @ e1 + regularisation(w1)
    return [
        {},
        {"weight": g1.T, "bias": e1.sum(axis=0)},
        {"weight": g2.T, "bias": e2.sum(axis=0)},
    ]
