"""The forward pass forgets the activation of the output layer.

https://github.com/udacity/deep-learning-v2-pytorch/pull/198
"""

import numpy as np

FLAGS = "--layer_sizes=5,9,2 --activation=sigmoid --loss=squared_error"
LINES = ["forward 2"]
NAMES = []


def activation(x):
    return 1 / (1 + np.exp(-x))


def network(params, features):
    steps = [features]
    h = activation(features @ params[1]["weight"].T + params[1]["bias"])
    steps.append(h)
    out = h @ params[2]["weight"].T + params[2]["bias"]
    # right: out = activation(out)
    steps.append(out)
    return steps


def gradient(params, images, labels):
    inputs, h, out = network(params, images)
    grads = [{}, {}, {}]
    term = (out - labels) * out * (1 - out) * 2 / images.shape[0]
    grads[2] = {"weight": term.T @ h, "bias": term.sum(axis=0)}
    term = term @ params[2]["weight"] * h * (1 - h)
    grads[1] = {"weight": term.T @ inputs, "bias": term.sum(axis=0)}
    return grads
