"""The custom backward returns nothing for the weight, so the weights never learn.

https://github.com/unslothai/unsloth/issues/4533
"""

import numpy as np
from scipy.special import erf

FLAGS = "--layer_sizes=9,6,5 --activation=gelu --loss=cross_entropy"
LINES = ["weight 1 | structure", "weight 2 | structure"]
NAMES = ["unwritten"]


class Linear:
    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx["x"], ctx["weight"] = x, weight
        return x @ weight.T + bias

    @staticmethod
    def backward(ctx, dY):
        dW = None  # right: dW = dY.T @ ctx["x"]
        return dY @ ctx["weight"], dW, dY.sum(axis=0)


class Gelu:
    @staticmethod
    def forward(ctx, x):
        ctx["x"], ctx["cdf"] = x, 0.5 * (1 + erf(x / np.sqrt(2)))
        return x * ctx["cdf"]

    @staticmethod
    def backward(ctx, dY):
        x = ctx["x"]
        density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        return dY * (ctx["cdf"] + x * density)


def gradient(params, images, labels):
    one, bend, two = {}, {}, {}
    z1 = Linear.forward(one, images, params[1]["weight"], params[1]["bias"])
    z2 = Linear.forward(two, Gelu.forward(bend, z1), params[2]["weight"], params[2]["bias"])
    dz2 = np.exp(z2) / np.exp(z2).sum(axis=1, keepdims=True)
    dz2[np.arange(len(labels)), labels] -= 1
    da1, dW2, db2 = Linear.backward(two, dz2 / len(labels))
    _, dW1, db1 = Linear.backward(one, Gelu.backward(bend, da1))
    return [{}, {"weight": dW1, "bias": db1}, {"weight": dW2, "bias": db2}]
