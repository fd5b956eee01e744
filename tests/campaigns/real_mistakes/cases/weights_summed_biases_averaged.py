"""The bias gradients are averaged over the batch, the weight gradients are only summed.

https://github.com/hunkim/DeepLearningZeroToAll/issues/173
"""

import numpy as np

FLAGS = "--layer_sizes=2,4,1 --activation=sigmoid --loss=binary_cross_entropy"
LINES = ["weight 1", "weight 2"]
NAMES = ["bias-scale"]


def logistic(x):
    return 1 / (1 + np.exp(-x))


def gradient(params, X, Y):
    W1, b1 = params[1]["weight"].T, params[1]["bias"]
    W2, b2 = params[2]["weight"].T, params[2]["bias"]

    mid = logistic(X @ W1 + b1)
    guess = logistic(mid @ W2 + b2)

    err2 = guess - Y
    err1 = (err2 @ W2.T) * mid * (1 - mid)
    d_W2 = mid.T @ err2  # right: d_W2 = mid.T @ err2 / len(X)
    d_W1 = X.T @ err1  # right: d_W1 = X.T @ err1 / len(X)
    return [
        {},
        {"weight": d_W1.T, "bias": np.mean(err1, axis=0)},
        {"weight": d_W2.T, "bias": np.mean(err2, axis=0)},
    ]
