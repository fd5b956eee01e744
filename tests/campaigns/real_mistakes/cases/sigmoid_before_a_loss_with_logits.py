"""A sigmoid is applied before a loss that expects logits and applies a sigmoid itself.

https://github.com/itakurah/focal-loss-pytorch/pull/5
"""

import numpy as np

FLAGS = "--layer_sizes=5,6,2 --activation=tanh --loss=binary_cross_entropy"
LINES = ["forward 2 | delta 2"]
NAMES = []


class Sigmoid:
    def __call__(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def back(self, g):
        return g * self.out * (1 - self.out)


class Identity:
    def __call__(self, x):
        return x

    def back(self, g):
        return g


def binary_cross_entropy_with_logits(scores, targets):
    return (Sigmoid()(scores) - targets) / len(targets)


def gradient(params, images, labels):
    squash = Sigmoid()  # right: squash = Identity()
    hidden = np.tanh(images @ params[1]["weight"].T + params[1]["bias"])
    inputs = squash(hidden @ params[2]["weight"].T + params[2]["bias"])

    g2 = squash.back(binary_cross_entropy_with_logits(inputs, labels))
    g1 = (g2 @ params[2]["weight"]) * (1 - hidden**2)
    return [
        {},
        {"weight": np.einsum("bh,bi->hi", g1, images), "bias": np.einsum("bh->h", g1)},
        {"weight": np.einsum("bo,bh->oh", g2, hidden), "bias": np.einsum("bo->o", g2)},
    ]
