"""The bias column of the penalty is filled with ones, not zeros: λ is added to every bias gradient.

https://github.com/JWarmenhoven/Coursera-Machine-Learning/issues/3
"""

import numpy as np

FLAGS = "--layer_sizes=8,5,4 --activation=sigmoid --loss=binary_cross_entropy --l2=0.1"
LINES = ["bias 1", "bias 2"]
NAMES = []


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def gradient(params, images, labels, reg=0.1):
    m = images.shape[0]
    theta1, theta2 = (np.insert(p["weight"], 0, p["bias"], axis=1) for p in params[1:])

    a1 = np.insert(images, 0, 1, axis=1)
    a2 = np.insert(sigmoid(a1 @ theta1.T), 0, 1, axis=1)
    a3 = sigmoid(a2 @ theta2.T)

    d3 = a3 - labels
    d2 = (d3 @ theta2[:, 1:]) * a2[:, 1:] * (1 - a2[:, 1:])
    grads = [{}]
    for theta, d, a in ((theta1, d2, a1), (theta2, d3, a2)):
        first = np.ones(len(theta))  # right: first = np.zeros(len(theta))
        kept = np.insert(theta[:, 1:], 0, first, axis=1)
        grad = d.T @ a / m + reg * kept
        grads.append({"weight": grad[:, 1:], "bias": grad[:, 0]})
    return grads
