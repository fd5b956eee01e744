"""The weight decay is subtracted from the gradient, which makes the weights grow.

https://github.com/andersbll/nnet/issues/4
"""

import numpy as np

FLAGS = "--layer_sizes=9,6,5 --activation=sigmoid --loss=cross_entropy --labels=one_hot --l2=0.05"
LINES = ["weight 1", "weight 2"]
NAMES = ["regulariser"]


class Affine:
    def __init__(self, p, lam):
        self.W, self.b = p["weight"].T, p["bias"]
        self.lam = lam

    def forth(self, data):
        self.seen = data
        return data @ self.W + self.b

    def back(self, upstream):
        n = upstream.shape[0]
        data_part = self.seen.T @ upstream / n
        decay = -self.lam * self.W  # right: decay = self.lam * self.W
        self.dW = data_part + decay
        self.db = upstream.mean(axis=0)
        return upstream @ self.W.T


class Sigmoid:
    def forth(self, data):
        self.out = 1 / (1 + np.exp(-data))
        return self.out

    def back(self, upstream):
        return upstream * self.out * (1 - self.out)


def gradient(params, images, labels):
    layers = [Affine(params[1], 0.05), Sigmoid(), Affine(params[2], 0.05)]
    value = images
    for layer in layers:
        value = layer.forth(value)
    e = np.exp(value - value.max(axis=1, keepdims=True))
    grad = e / e.sum(axis=1, keepdims=True) - labels
    for layer in layers[::-1]:
        grad = layer.back(grad)
    return [{}] + [{"weight": linear.dW.T, "bias": linear.db} for linear in layers[::2]]
