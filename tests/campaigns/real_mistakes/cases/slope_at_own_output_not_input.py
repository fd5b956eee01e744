"""A layer multiplies the backpropagated gradient by the slope at its output, not at its input.

https://github.com/hanbt/learn_dl/issues/15

The thread proposes this as a correction. It fits in shape because all layers are equally wide.
"""

import numpy as np

FLAGS = "--layer_sizes=5,5,5,5 --activation=sigmoid --loss=half_squared_error"
LINES = ["delta 1", "delta 2"]
NAMES = []


class SigmoidActivator:
    def forward(self, weighted_input):
        return 1.0 / (1.0 + np.exp(-weighted_input))

    def backward(self, output):
        return output * (1 - output)


class FullConnectedLayer:
    def __init__(self, W, b, activator):
        self.W, self.b, self.activator = W, b[:, None], activator

    def forward(self, input_array):
        self.input = input_array
        self.output = self.activator.forward(self.W @ input_array + self.b)
        return self.output

    def backward(self, delta_array):
        at = self.output  # right: at = self.input
        self.delta = self.activator.backward(at) * (self.W.T @ delta_array)
        self.grad = {"weight": delta_array @ self.input.T, "bias": delta_array.sum(axis=1)}


def gradient(params, images, labels):
    activator = SigmoidActivator()
    layers = [FullConnectedLayer(p["weight"], p["bias"], activator) for p in params[1:]]
    output = images.T
    for layer in layers:
        output = layer.forward(output)
    delta = activator.backward(output) * (output - labels.T) / len(images)
    for layer in layers[::-1]:
        layer.backward(delta)
        delta = layer.delta
    return [{}] + [layer.grad for layer in layers]
