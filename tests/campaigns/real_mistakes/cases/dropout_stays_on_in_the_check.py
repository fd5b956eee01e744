"""Dropout stays on while the gradient is compared with that of the network without it.

https://github.com/torch/tutorials/issues/25
"""

import numpy as np

FLAGS = "--layer_sizes=6,10,4 --activation=relu --loss=cross_entropy"
LINES = ["forward 1"]
NAMES = []


class Dropout:
    def __init__(self, p):
        self.p = p
        self.train = True  # right: self.train = False

    def update_output(self, x):
        self.noise = np.ones_like(x)
        if self.train:
            rng = np.random.default_rng(1)
            self.noise = (rng.random(x.shape) >= self.p) / (1 - self.p)
        return x * self.noise

    def update_grad_input(self, grad_output):
        return grad_output * self.noise


def gradient(params, images, labels):
    dropout = Dropout(0.5)
    z = images @ params[1]["weight"].T + params[1]["bias"]
    h = dropout.update_output(np.maximum(z, 0))
    o = h @ params[2]["weight"].T + params[2]["bias"]
    log_p = o - o.max(axis=1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    d2 = (np.exp(log_p) - (np.arange(o.shape[1]) == labels[:, None])) / len(labels)
    d1 = dropout.update_grad_input(d2 @ params[2]["weight"]) * (z > 0)
    return [
        {},
        {"weight": d1.T @ images, "bias": d1.sum(axis=0)},
        {"weight": d2.T @ h, "bias": d2.sum(axis=0)},
    ]
