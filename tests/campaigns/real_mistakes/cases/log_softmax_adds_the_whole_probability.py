"""The log-softmax adds the incoming gradient to the probability. This is right only if the gradient
sums to −1, but here it sums to −1/N.

https://github.com/mlpack/mlpack/issues/2360
"""

import numpy as np

FLAGS = "--layer_sizes=7,5,3 --activation=sigmoid --loss=cross_entropy"
LINES = ["delta 2"]
NAMES = []


class LogSoftMax:
    def forward(self, x):
        x = x - x.max(axis=0)
        self.output = x - np.log(np.exp(x).sum(axis=0))

    def backward(self, gy):
        p = np.exp(self.output)
        return p + gy  # right: return gy - p * gy.sum(axis=0)


class NegativeLogLikelihood:
    def backward(self, output, target):
        columns = np.arange(len(target))
        g = np.zeros_like(output)
        g[target, columns] = -1 / len(target)
        return g


def gradient(params, images, labels):
    x = images.T  # one column for each example
    h = 1 / (1 + np.exp(-(params[1]["weight"] @ x + params[1]["bias"][:, None])))
    module = LogSoftMax()
    module.forward(params[2]["weight"] @ h + params[2]["bias"][:, None])
    g2 = module.backward(NegativeLogLikelihood().backward(module.output, labels))
    g1 = params[2]["weight"].T @ g2 * h * (1 - h)
    return [
        {},
        {"weight": g1 @ x.T, "bias": g1.sum(axis=1)},
        {"weight": g2 @ h.T, "bias": g2.sum(axis=1)},
    ]
