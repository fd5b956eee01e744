"""The hidden delta gets a factor 1/m of its own, before its weight gradient is divided by m.

https://community.deeplearning.ai/t/course-1-week-3-planar-assignment-4-5-exercise-6-backward-propagation-error-for-dw1-values/63071
"""

import numpy as np

FLAGS = "--layer_sizes=3,5,2 --activation=tanh --loss=binary_cross_entropy"
LINES = ["delta 1"]
NAMES = ["averaged-twice"]


def gradient(params, images, labels):
    X, Y = images.T, labels.T
    m = X.shape[1]
    W1, W2 = params[1]["weight"], params[2]["weight"]
    b1, b2 = params[1]["bias"].reshape(-1, 1), params[2]["bias"].reshape(-1, 1)

    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = 1 / (1 + np.exp(-(np.dot(W2, A1) + b2)))

    dZ2 = A2 - Y
    dW2 = 1 / m * np.dot(dZ2, A1.T)
    db2 = 1 / m * np.sum(dZ2, axis=1)
    dA1 = np.dot(W2.T, dZ2)
    dZ1 = 1 / m * dA1 * (1 - np.power(A1, 2))  # right: dZ1 = dA1 * (1 - np.power(A1, 2))
    dW1 = 1 / m * np.dot(dZ1, X.T)
    db1 = 1 / m * np.sum(dZ1, axis=1)
    return [{}, {"weight": dW1, "bias": db1}, {"weight": dW2, "bias": db2}]
