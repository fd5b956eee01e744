"""The bias gradients are means over the batch, the weight gradients are sums.

https://github.com/hunkim/DeepLearningZeroToAll/issues/173
"""

import numpy as np

FLAGS = "--layer_sizes=4,5,3,2 --activation=sigmoid --loss=half_squared_error --layout=numpy"
LINES = ["weight 3", "weight 2", "weight 1"]
NAMES = ["bias-scale"]


def sigma(x):
    return 1 / (1 + np.exp(-x))


def gradient(params, images, labels):
    X, Y = images, labels
    W1, b1, W2, b2, W3, b3 = params
    n = X.shape[0]
    l1 = sigma(X @ W1 + b1)
    l2 = sigma(l1 @ W2 + b2)
    Y_pred = sigma(l2 @ W3 + b3)

    d_l3 = (Y_pred - Y) * Y_pred * (1 - Y_pred)
    d_W3 = np.matmul(l2.T, d_l3)  # right: d_W3 = np.matmul(l2.T, d_l3) / n
    d_b3 = d_l3.sum(axis=0) / n
    d_l2 = np.matmul(d_l3, W3.T) * l2 * (1 - l2)
    d_W2 = np.matmul(l1.T, d_l2)  # right: d_W2 = np.matmul(l1.T, d_l2) / n
    d_b2 = d_l2.sum(axis=0) / n
    d_l1 = np.matmul(d_l2, W2.T) * l1 * (1 - l1)
    d_W1 = np.matmul(X.T, d_l1)  # right: d_W1 = np.matmul(X.T, d_l1) / n
    d_b1 = d_l1.sum(axis=0) / n
    return [d_W1, d_b1, d_W2, d_b2, d_W3, d_b3]
