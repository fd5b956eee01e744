"""sigmoid_backward applies the sigmoid to the incoming delta, and again to one minus that.

https://github.com/yizt/numpy_neural_network/issues/3
"""

import numpy as np

FLAGS = "--layer_sizes=5,6,4 --activation=sigmoid --loss=cross_entropy"
LINES = ["delta 1"]
NAMES = []


def sigmoid_forward(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_backward(next_dz, z):
    a = sigmoid_forward(next_dz)  # right: a = sigmoid_forward(z)
    return sigmoid_forward(1 - a)  # right: return next_dz * a * (1 - a)


def fc_backward(next_dz, W, z):
    return {"weight": next_dz.T @ z, "bias": np.sum(next_dz, axis=0)}, next_dz @ W


def cross_entropy_backward(y_predict, y_true):
    y_probability = np.exp(y_predict - y_predict.max(axis=-1, keepdims=True))
    y_probability /= y_probability.sum(axis=-1, keepdims=True)
    return (y_probability - y_true) / len(y_true)


def gradient(params, images, labels):
    W1, W2 = params[1]["weight"], params[2]["weight"]
    z1 = images @ W1.T + params[1]["bias"]
    a1 = sigmoid_forward(z1)
    scores = a1 @ W2.T + params[2]["bias"]
    dz2 = cross_entropy_backward(scores, np.eye(scores.shape[1])[labels])
    grad2, da1 = fc_backward(dz2, W2, a1)
    grad1, _ = fc_backward(sigmoid_backward(da1, z1), W1, images)
    return [{}, grad1, grad2]
