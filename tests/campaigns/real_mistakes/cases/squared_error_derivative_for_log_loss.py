"""The loss is the log loss, but the output error is that of half the squared error.

https://github.com/bpjsincl/coursera-neural-net/issues/14
"""

import numpy as np

FLAGS = "--layer_sizes=4,6,5,2 --activation=sigmoid --loss=binary_cross_entropy --layout=numpy"
LINES = ["delta 3"]
NAMES = ["other-loss"]


def logistic(z):
    return 1.0 / (1.0 + np.exp(-z))


def gradient(params, images, labels):
    weights, biases = params[::2], params[1::2]
    states = [images]
    for w, b in zip(weights, biases, strict=True):
        states.append(logistic(states[-1] @ w + b))

    output = states[-1]
    dE = output - labels  # right: dE = (output - labels) / (output * (1.0 - output))
    back = dE * output * (1.0 - output) / len(images)
    grads = []
    for i in reversed(range(len(weights))):
        grads = [states[i].T @ back, back.sum(axis=0), *grads]
        back = (back @ weights[i].T) * states[i] * (1.0 - states[i])
    return grads
