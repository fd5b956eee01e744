"""The bias gradient of the output layer is δ itself, with a column for each example.

https://datascience.stackexchange.com/questions/54364/back-propagation-on-matrix-of-weights
"""

import numpy as np

FLAGS = "--layer_sizes=2,5,6,1 --activation=sigmoid --loss=binary_cross_entropy"
LINES = ["bias 3 | structure", "bias 2 | structure", "bias 1 | structure"]
NAMES = []


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def derivative_sigmoid(a):
    return a * (1 - a)


def gradient(params, images, labels):
    x, y = images.T, labels.T
    m = y.shape[1]
    w1, w2, w3 = (p["weight"] for p in params[1:])
    b1, b2, b3 = (p["bias"][:, None] for p in params[1:])
    a1 = sigmoid(np.dot(w1, x) + b1)
    a2 = sigmoid(np.dot(w2, a1) + b2)
    a3 = sigmoid(np.dot(w3, a2) + b3)

    cost_derivative = -(np.divide(y, a3) - np.divide(1 - y, 1 - a3)) / m
    delta3 = derivative_sigmoid(a3) * cost_derivative
    delta2 = np.dot(w3.T, delta3) * derivative_sigmoid(a2)
    delta1 = np.dot(w2.T, delta2) * derivative_sigmoid(a1)
    Db3 = delta3  # right: Db3 = delta3.sum(axis=1)
    Db2 = delta2  # right: Db2 = delta2.sum(axis=1)
    Db1 = delta1  # right: Db1 = delta1.sum(axis=1)
    return [
        {},
        {"weight": np.dot(delta1, x.T), "bias": Db1},
        {"weight": np.dot(delta2, a1.T), "bias": Db2},
        {"weight": np.dot(delta3, a2.T), "bias": Db3},
    ]
