"""Both elementwise products are np.dot, so the slope is 1 - A1ᵀA1, over pairs of examples.

https://community.deeplearning.ai/t/w3-ex-6-assertionerror-wrong-values-for-dw1/402919

The program is by another person of the thread than in `weight_gradient_carries_delta_back.py`.
"""

import numpy as np

FLAGS = "--layer_sizes=4,5,3 --activation=tanh --loss=cross_entropy"
LINES = ["delta 1"]
NAMES = []


def gradient(params, images, labels):
    X = images.T
    m = X.shape[1]
    W1, b1 = params[1]["weight"], params[1]["bias"].reshape(-1, 1)
    W2, b2 = params[2]["weight"], params[2]["bias"].reshape(-1, 1)
    A1 = np.tanh(np.dot(W1, X) + b1)
    Z2 = np.dot(W2, A1) + b2
    A2 = np.exp(Z2) / np.sum(np.exp(Z2), axis=0)
    dZ2 = A2 - np.eye(A2.shape[0])[labels].T

    dA1 = np.dot(W2.T, dZ2)
    dZ1 = np.dot(dA1, 1 - np.dot(A1.T, A1))  # right: dZ1 = dA1 * (1 - np.power(A1, 2))

    grads = [{}]
    for dZ, A in ((dZ1, X), (dZ2, A1)):
        grads.append({"weight": np.dot(dZ, A.T) / m, "bias": np.sum(dZ, axis=1) / m})
    return grads
