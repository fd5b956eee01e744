"""One activation object serves both hidden layers; its second forward overwrites the first output.

https://github.com/torch/torch7/issues/935
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,5,3 --activation=tanh --loss=cross_entropy"
LINES = ["weight 2 | forward 1 | forward 2", "delta 1 | forward 1 | forward 2"]
NAMES = []


class Tanh:
    def __init__(self):
        self.output = None

    def forward(self, z):
        if self.output is None or self.output.shape != z.shape:
            self.output = np.empty_like(z)
        np.tanh(z, out=self.output)
        return self.output  # right: return self.output.copy()


def gradient(params, images, labels):
    tanh = Tanh()
    (w1, b1), (w2, b2), (w3, b3) = ((p["weight"], p["bias"]) for p in params[1:])
    first = tanh.forward(images @ w1.T + b1)
    second = tanh.forward(first @ w2.T + b2)
    scores = second @ w3.T + b3
    d3 = np.exp(scores - scores.max(axis=1, keepdims=True))
    d3 /= d3.sum(axis=1, keepdims=True)
    d3[np.arange(len(labels)), labels] -= 1
    d3 /= len(labels)
    d2 = d3 @ w3 * (1 - second**2)
    d1 = d2 @ w2 * (1 - first**2)
    return [
        {},
        {"weight": d1.T @ images, "bias": d1.sum(axis=0)},
        {"weight": d2.T @ first, "bias": d2.sum(axis=0)},
        {"weight": d3.T @ second, "bias": d3.sum(axis=0)},
    ]
