"""The activation works in place, so the stored z is the same array as a, and f' is taken at a.

https://github.com/deeplearning4j/deeplearning4j/pull/364
"""

import numpy as np

FLAGS = "--layer_sizes=7,6,5,3 --activation=sigmoid --loss=squared_error"
LINES = ["delta 1 | forward 1", "delta 2 | forward 2", "delta 3 | forward 3"]
NAMES = ["slope-at-a"]


def sigmoid(z, out=None):
    return np.divide(1, 1 + np.exp(-z), out=out)


def sigmoid_derivative(z):
    return sigmoid(z) * (1 - sigmoid(z))


def gradient(params, images, labels):
    activations, zs = [images.T], []
    for p in params[1:]:
        z = p["weight"] @ activations[-1] + p["bias"][:, np.newaxis]
        zs.append(z)
        activations.append(sigmoid(z, out=z))  # right: activations.append(sigmoid(z))

    delta = 2 / len(images) * (activations[-1] - labels.T) * sigmoid_derivative(zs[-1])
    grads = [{"weight": delta @ activations[-2].T, "bias": delta.sum(axis=1)}]
    for k in (1, 0):
        delta = params[k + 2]["weight"].T @ delta * sigmoid_derivative(zs[k])
        grads.append({"weight": delta @ activations[k].T, "bias": delta.sum(axis=1)})
    return [{}, *reversed(grads)]
