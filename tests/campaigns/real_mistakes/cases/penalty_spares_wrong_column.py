"""Column 1 is left out of the penalty instead of column 0, where the biases are.

https://github.com/dibgerge/ml-coursera-python-assignments/issues/45
"""

import numpy as np

FLAGS = "--layer_sizes=5,4,3 --activation=sigmoid --loss=binary_cross_entropy --l2=0.3"
LINES = ["weight 1", "bias 1", "weight 2", "bias 2"]
NAMES = ["regulariser"]


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def penalised(theta):
    theta = theta.copy()
    theta[:, 1] = 0  # right: theta[:, 0] = 0
    return theta


def gradient(params, images, labels):
    lambda_ = 0.3
    m = len(images)
    thetas = [np.hstack([p["bias"][:, None], p["weight"]]) for p in params[1:]]
    ones = np.ones((m, 1))
    a1 = np.hstack([ones, images])
    a2 = np.hstack([ones, sigmoid(a1 @ thetas[0].T)])
    h = sigmoid(a2 @ thetas[1].T)

    delta3 = h - labels
    delta2 = (delta3 @ thetas[1] * a2 * (1 - a2))[:, 1:]
    grad1 = delta2.T @ a1 / m + lambda_ * penalised(thetas[0])
    grad2 = delta3.T @ a2 / m + lambda_ * penalised(thetas[1])
    return [{}] + [{"weight": g[:, 1:], "bias": g[:, 0]} for g in (grad1, grad2)]
