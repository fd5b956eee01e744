"""The delta is backpropagated through the gradient dW2 instead of the weight W2.

https://community.deeplearning.ai/t/w3-ex-6-assertionerror-wrong-values-for-dw1/402919
"""

import numpy as np

FLAGS = "--layer_sizes=5,4,3 --activation=tanh --loss=binary_cross_entropy --layout=numpy"
LINES = ["delta 1"]
NAMES = []


def gradient(params, images, labels):
    W1, b1, W2, b2 = params
    m = images.shape[0]
    A1 = np.tanh(images @ W1 + b1)
    A2 = 1 / (1 + np.exp(-(A1 @ W2 + b2)))
    dZ2 = (A2 - labels) / m
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dZ1 = dZ2 @ dW2.T * (1 - A1**2)  # right: dZ1 = dZ2 @ W2.T * (1 - A1**2)
    dW1 = images.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return [dW1, db1, dW2, db2]
