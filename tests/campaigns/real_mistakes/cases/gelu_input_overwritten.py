"""GELU is computed in place, so that its backward finds the output where its input was.

https://github.com/nntrainer/nntrainer/pull/3640
"""

from math import erf

import numpy as np

FLAGS = "--layer_sizes=5,7,4 --activation=gelu --loss=cross_entropy"
LINES = ["delta 1"]
NAMES = ["slope-at-a"]


def cdf(x):
    return np.array([[0.5 * (1 + erf(v / 2**0.5)) for v in row] for row in x])


class Gelu:
    def forward(self, x):
        self.input = x
        out = x  # right: out = np.empty_like(x)
        np.multiply(x, cdf(x), out=out)
        return out

    def backward(self, derivative):
        x = self.input
        return derivative * (cdf(x) + x * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi))


def gradient(params, images, labels):
    gelu = Gelu()
    hidden = gelu.forward(images @ params[1]["weight"].T + params[1]["bias"])
    logits = hidden @ params[2]["weight"].T + params[2]["bias"]
    logits -= logits.max(axis=1, keepdims=True)
    derivative = np.exp(logits)
    derivative /= derivative.sum(axis=1, keepdims=True)
    derivative -= np.eye(logits.shape[1])[labels]
    derivative /= len(labels)
    grad2 = {"weight": derivative.T @ hidden, "bias": derivative.sum(axis=0)}
    derivative = gelu.backward(derivative @ params[2]["weight"])
    grad1 = {"weight": derivative.T @ images, "bias": derivative.sum(axis=0)}
    return [{}, grad1, grad2]
