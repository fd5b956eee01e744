"""The delta of the hidden layer is relu(W2ᵀ δ2), instead of W2ᵀ δ2 where z1 is positive.

https://github.com/FahdSeddik/DeepLearning.AI-Natural-Language-Processing-Specialization/issues/1
"""

import numpy as np

FLAGS = "--layer_sizes=8,5,6 --activation=relu --loss=cross_entropy --labels=one_hot"
LINES = ["delta 1"]
NAMES = []


def back_prop(x, yhat, y, h, W2, batch_size):
    l1 = np.dot(W2.T, yhat - y)
    l1 = np.maximum(0, l1)  # right: l1[h <= 0] = 0
    grad_W1 = np.dot(l1, x.T) / batch_size
    grad_b1 = np.sum(l1, axis=1) / batch_size
    grad_W2 = np.dot(yhat - y, h.T) / batch_size
    grad_b2 = np.sum(yhat - y, axis=1) / batch_size
    return grad_W1, grad_b1, grad_W2, grad_b2


def gradient(params, images, labels):
    W1, b1, W2, b2 = (params[k][name] for k in (1, 2) for name in ("weight", "bias"))
    x = images.T
    h = np.maximum(0, np.dot(W1, x) + b1[:, None])
    z = np.dot(W2, h) + b2[:, None]
    yhat = np.exp(z - np.max(z, axis=0)) / np.sum(np.exp(z - np.max(z, axis=0)), axis=0)
    gW1, gb1, gW2, gb2 = back_prop(x, yhat, labels.T, h, W2, len(images))
    return [{}, {"weight": gW1, "bias": gb1}, {"weight": gW2, "bias": gb2}]
