"""The nodes have a bias, with getter and setter, but their weighted sum leaves it out.

https://github.com/davidalbertonogueira/MLP/issues/15
"""

import numpy as np

FLAGS = "--layer_sizes=4,5,3 --activation=sigmoid --loss=squared_error"
LINES = ["forward 1", "forward 2"]
NAMES = []


class Node:
    def __init__(self, weights, bias):
        self.weights, self.bias = weights, bias

    def get_bias(self):
        return self.bias

    def output(self, inputs):
        total = sum(w * x for w, x in zip(self.weights, inputs, strict=True))
        # right: total += self.get_bias()
        return 1 / (1 + np.exp(-total))


class Layer:
    def __init__(self, layer):
        self.nodes = [Node(w, b) for w, b in zip(layer["weight"], layer["bias"], strict=True)]

    def outputs(self, rows):
        return np.array([[node.output(row) for node in self.nodes] for row in rows])


def gradient(params, images, labels):
    hidden = Layer(params[1]).outputs(images)
    output = Layer(params[2]).outputs(hidden)
    d2 = 2 / len(images) * (output - labels) * output * (1 - output)
    d1 = d2 @ params[2]["weight"] * hidden * (1 - hidden)
    return [
        {},
        {"weight": d1.T @ images, "bias": d1.sum(axis=0)},
        {"weight": d2.T @ hidden, "bias": d2.sum(axis=0)},
    ]
