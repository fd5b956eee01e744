"""Only the parameters' gradients are cleared; those of the hidden units go on accumulating.

https://github.com/karpathy/micrograd/pull/102
"""

import numpy as np

FLAGS = "--layer_sizes=5,6,4 --activation=sigmoid --loss=squared_error"
LINES = ["delta 1 | batch | state"]
NAMES = []


class Neuron:
    def __init__(self, weights, bias):
        self.weights, self.bias = weights, bias
        self.grad = 0.0
        self.weight_grad, self.bias_grad = np.zeros_like(weights), 0.0

    def fire(self, inputs):
        self.inputs = inputs
        self.value = 1 / (1 + np.exp(-(self.weights @ inputs + self.bias)))
        return self.value

    def backward(self):
        local = self.grad * self.value * (1 - self.value)
        self.weight_grad += local * self.inputs
        self.bias_grad += local
        return local * self.weights


def zero_grad(neurons):
    for neuron in neurons:
        neuron.grad = 0.0


def gradient(params, images, labels):
    layers = [[Neuron(*wb) for wb in zip(p["weight"], p["bias"], strict=True)] for p in params[1:]]
    hidden, output = layers
    for x, y in zip(images, labels, strict=True):
        h = np.array([neuron.fire(x) for neuron in hidden])
        # right: zero_grad(hidden)
        for neuron, target in zip(output, y, strict=True):
            neuron.grad = 2 * (neuron.fire(h) - target) / len(images)
            for below, flow in zip(hidden, neuron.backward(), strict=True):
                below.grad += flow
        for neuron in hidden:
            neuron.backward()
    return [{}] + [
        {
            "weight": np.array([n.weight_grad for n in layer]),
            "bias": np.array([n.bias_grad for n in layer]),
        }
        for layer in layers
    ]
