"""A layer's weights and biases get the δ of the layer below, not the layer's own.

The person who opened the issue proposes this as a correction.

https://github.com/hanbt/learn_dl/issues/23
"""

import numpy as np

FLAGS = "--layer_sizes=4,4,4 --activation=sigmoid --loss=half_squared_error"
LINES = ["weight 1", "bias 1", "weight 2", "bias 2"]
NAMES = []


class Connected:
    def __init__(self, layer):
        self.W, self.b = layer["weight"], layer["bias"][:, None]

    def forward(self, array):
        self.input = array
        self.output = 1 / (1 + np.exp(-(self.W @ array + self.b)))
        return self.output

    def backward(self, received):
        self.passed = (self.W.T @ received) * (1 - self.input) * self.input
        used = self.passed  # right: used = received
        self.grads = {"weight": used @ self.input.T, "bias": used.sum(axis=1)}


def gradient(params, images, labels):
    net = [Connected(layer) for layer in params[1:]]
    value = images.T
    for layer in net:
        value = layer.forward(value)
    delta = (value - labels.T) * value * (1 - value) / len(images)
    for layer in net[::-1]:
        layer.backward(delta)
        delta = layer.passed
    return [{}, *(layer.grads for layer in net)]
