"""The sigmoid's backward caches its input and multiplies by z (1 - z).

https://github.com/BoltzmannEntropy/interviews.ai/issues/15
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,4,3 --activation=sigmoid --loss=cross_entropy"
LINES = ["delta 1", "delta 2"]
NAMES = ["slope-of-other"]


class Sigmoid:
    def forward(self, z):
        self.z = z
        self.out = 1 / (1 + np.exp(-z))
        return self.out

    def backward(self, upstream):
        slope = self.z * (1 - self.z)  # right: slope = self.out * (1 - self.out)
        return upstream * slope


class Linear:
    def __init__(self, layer):
        self.weight, self.bias = layer["weight"], layer["bias"]

    def forward(self, x):
        self.x = x
        return x @ self.weight.T + self.bias

    def backward(self, upstream):
        self.gradient = {"weight": upstream.T @ self.x, "bias": upstream.sum(axis=0)}
        return upstream @ self.weight


def gradient(params, images, labels):
    linears = [Linear(layer) for layer in params[1:]]
    modules = [linears[0], Sigmoid(), linears[1], Sigmoid(), linears[2]]
    x = images
    for module in modules:
        x = module.forward(x)
    upstream = np.exp(x - x.max(axis=1, keepdims=True))
    upstream /= upstream.sum(axis=1, keepdims=True)
    upstream[np.arange(len(labels)), labels] -= 1
    upstream /= len(labels)
    for module in reversed(modules):
        upstream = module.backward(upstream)
    return [{}] + [linear.gradient for linear in linears]
