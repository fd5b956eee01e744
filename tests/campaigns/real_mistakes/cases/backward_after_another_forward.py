"""Between forward and backward, the network runs on zeros, which overwrites its stored arrays.

https://github.com/torch/nn/issues/1015
"""

import numpy as np

FLAGS = "--layer_sizes=5,4,3 --activation=sigmoid --loss=squared_error"
LINES = [
    "delta 2 | forward 2 | state | input",
    "weight 2 | forward 1 | state | input",
    "delta 1 | forward 1 | state | input",
]
NAMES = []


class Sequential:
    def __init__(self, params):
        self.layers = params[1:]

    def forward(self, x):
        self.outputs = []
        for layer in self.layers:
            x = 1 / (1 + np.exp(-(x @ layer["weight"].T + layer["bias"])))
            self.outputs.append(x)
        return x

    def backward(self, x, grad_output):
        grads, grad = [], grad_output
        for i in reversed(range(len(self.layers))):
            below = self.outputs[i - 1] if i > 0 else x
            grad = grad * self.outputs[i] * (1 - self.outputs[i])
            grads.insert(0, {"weight": grad.T @ below, "bias": grad.sum(axis=0)})
            grad = grad @ self.layers[i]["weight"]
        return grads


def gradient(params, images, labels):
    network = Sequential(params)
    prediction = network.forward(images)
    network.forward(np.zeros_like(images))  # right: pass
    return [{}, *network.backward(images, 2 * (prediction - labels) / len(labels))]
