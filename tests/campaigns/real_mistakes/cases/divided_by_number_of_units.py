"""The weight gradient of a dense layer is divided by the layer's number of units.

The person who opened the issue believes that this division belongs there.

https://github.com/eriklindernoren/ML-From-Scratch/issues/76
"""

import numpy as np

FLAGS = "--layer_sizes=9,8,6,4 --activation=leaky_relu --negative_slope=0.3 --loss=cross_entropy"
LINES = ["weight 1", "weight 2", "weight 3"]
NAMES = ["factor", "averaged-twice"]


class Affine:
    def __init__(self, layer):
        self.W, self.c = layer["weight"].T, layer["bias"]

    def run(self, X):
        self.seen = X
        return X @ self.W + self.c

    def pull(self, up):
        n_units = self.W.shape[1]
        grad_w = self.seen.T @ up
        grad_w = grad_w / n_units  # right: pass
        self.grads = {"weight": grad_w.T, "bias": up.sum(axis=0)}
        return up @ self.W.T


class LeakyReLU:
    def run(self, X):
        self.slope = np.where(X > 0, 1.0, 0.3)
        return X * self.slope

    def pull(self, up):
        return up * self.slope


def gradient(params, images, labels):
    layers = []
    for layer in params[1:]:
        layers += [Affine(layer), LeakyReLU()]
    layers.pop()
    out = images
    for layer in layers:
        out = layer.run(out)
    probs = np.exp(out - out.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    grad = (probs - np.eye(probs.shape[1])[labels]) / len(labels)
    for layer in reversed(layers):
        grad = layer.pull(grad)
    return [{}] + [layer.grads for layer in layers[::2]]
