"""The softmax layer returns the derivative with respect to its output as that for its input.

https://github.com/pjreddie/darknet/pull/96
"""

import numpy as np

FLAGS = "--layer_sizes=5,6,4 --activation=leaky_relu --negative_slope=0.1 --loss=cross_entropy"
LINES = ["delta 2"]
NAMES = ["slope-missing", "other-loss"]


class Connected:
    def __init__(self, p):
        self.w, self.b = p["weight"], p["bias"]

    def forward(self, x):
        self.x = x
        return x @ self.w.T + self.b

    def backward(self, delta):
        self.grad = {"weight": delta.T @ self.x, "bias": delta.sum(axis=0)}
        return delta @ self.w


class Leaky:
    def forward(self, z):
        self.factor = np.where(z > 0, 1.0, 0.1)
        return z * self.factor

    def backward(self, delta):
        return delta * self.factor


class Softmax:
    def forward(self, z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        self.s = e / e.sum(axis=1, keepdims=True)
        return self.s

    def backward(self, delta):
        return delta  # right: return self.s * (delta - (delta * self.s).sum(axis=1, keepdims=True))


def gradient(params, images, labels):
    layers = [Connected(params[1]), Leaky(), Connected(params[2]), Softmax()]
    out = images
    for layer in layers:
        out = layer.forward(out)
    rows = np.arange(len(labels))
    delta = np.zeros_like(out)
    delta[rows, labels] = -1 / out[rows, labels] / len(labels)
    for layer in reversed(layers):
        delta = layer.backward(delta)
    return [{}, layers[0].grad, layers[2].grad]
