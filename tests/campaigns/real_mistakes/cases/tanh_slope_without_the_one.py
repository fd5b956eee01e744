"""A table gives tanh's derivative as -tanh(x)²; the 1 was lost.

https://github.com/scutan90/DeepLearning-500-questions/issues/544
"""

import numpy as np

FLAGS = "--layer_sizes=6,4,5,3 --activation=tanh --loss=squared_error --biases=input,hidden"
LINES = ["delta 1", "delta 2", "delta 3"]
NAMES = ["slope-of-other"]


def tanh(x):
    return np.tanh(x)


def tanh_prime(x):
    return -(np.tanh(x) ** 2)  # right: return 1 - np.tanh(x) ** 2


def gradient(params, images, labels):
    activations, sums = [images + params[0]["bias"]], [None]
    for layer in params[1:]:
        z = activations[-1] @ layer["weight"].T
        if "bias" in layer:
            z = z + layer["bias"]
        sums.append(z)
        activations.append(tanh(z))

    upstream = 2 * (activations[-1] - labels) / len(labels)
    grads = []
    for number in range(len(params) - 1, 0, -1):
        delta = upstream * tanh_prime(sums[number])
        grad = {"weight": delta.T @ activations[number - 1]}
        if "bias" in params[number]:
            grad["bias"] = delta.sum(axis=0)
        grads.insert(0, grad)
        upstream = delta @ params[number]["weight"]
    return [{"bias": upstream.sum(axis=0)}, *grads]
