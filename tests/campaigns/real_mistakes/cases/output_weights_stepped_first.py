"""The output weights take their step before the hidden errors are computed with them.

https://github.com/CodingTrain/Toy-Neural-Network-JS/issues/72
"""

import numpy as np

FLAGS = "--layer_sizes=4,6,5,3 --activation=sigmoid --loss=half_squared_error"
LINES = ["delta 1", "delta 2"]
NAMES = []

LEARNING_RATE = 0.1


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dsigmoid(y):
    return y * (1 - y)


def gradient(params, images, labels):
    weights = [layer["weight"].copy() for layer in params[1:]]
    layers = [images.T]
    for w, layer in zip(weights, params[1:], strict=True):
        layers.append(sigmoid(w @ layers[-1] + layer["bias"][:, None]))

    grads = []
    errors = (layers[-1] - labels.T) / len(images)
    for i in (2, 1, 0):
        gradients = dsigmoid(layers[i + 1]) * errors
        weight_deltas = gradients @ layers[i].T
        weights[i] -= LEARNING_RATE * weight_deltas
        errors = weights[i].T @ gradients  # right: errors = params[i + 1]["weight"].T @ gradients
        grads.append({"weight": weight_deltas, "bias": gradients.sum(axis=1)})
    return [{}, *reversed(grads)]
