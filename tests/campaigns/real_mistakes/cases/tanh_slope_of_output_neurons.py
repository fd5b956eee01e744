"""Every neuron's gradient takes tanh's slope at the neuron's output, not at its weighted sum.

https://github.com/davidrmiller/neural2d/issues/40
"""

import numpy as np

FLAGS = "--layer_sizes=4,5,3 --activation=tanh --loss=squared_error"
LINES = ["delta 1", "delta 2"]
NAMES = ["slope-at-a"]


class Neuron:
    def __init__(self, weights, bias):
        self.weights, self.bias = weights, bias

    def feed_forward(self, inputs):
        self.sum = float(self.weights @ inputs) + self.bias
        self.output = np.tanh(self.sum)
        return self.output

    def set_gradient(self, error):
        slope = tanh_slope(self.output)  # right: slope = tanh_slope(self.sum)
        self.gradient = error * slope


def tanh_slope(x):
    return 1 - np.tanh(x) ** 2


def gradient(params, images, labels):
    layers = [
        [Neuron(w, b) for w, b in zip(layer["weight"], layer["bias"], strict=True)]
        for layer in params[1:]
    ]
    hidden, output = layers
    grads = [{key: np.zeros_like(leaf) for key, leaf in layer.items()} for layer in params]
    for x, target in zip(images, labels, strict=True):
        h = np.array([neuron.feed_forward(x) for neuron in hidden])
        for k, neuron in enumerate(output):
            neuron.set_gradient(2 * (neuron.feed_forward(h) - target[k]) / len(images))
        for j, neuron in enumerate(hidden):
            neuron.set_gradient(sum(n.weights[j] * n.gradient for n in output))
        for number, inputs in ((1, x), (2, h)):
            for i, neuron in enumerate(layers[number - 1]):
                grads[number]["weight"][i] += neuron.gradient * inputs
                grads[number]["bias"][i] += neuron.gradient
    return grads
