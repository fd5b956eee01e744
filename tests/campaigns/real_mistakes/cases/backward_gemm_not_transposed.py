"""The product that carries the gradient back is built without the transpose of the second factor.

https://github.com/tile-ai/TileOPs/pull/54
"""

from statistics import NormalDist

import numpy as np

FLAGS = "--layer_sizes=5,4,4,3 --activation=gelu --loss=cross_entropy --layout=numpy"
LINES = ["delta 1"]
NAMES = ["weights-not-transposed"]

CDF = np.vectorize(NormalDist().cdf)


class Gemm:
    def __init__(self, trans_a=False, trans_b=False):
        self.trans_a, self.trans_b = trans_a, trans_b

    def __call__(self, a, b):
        return (a.T if self.trans_a else a) @ (b.T if self.trans_b else b)


def gelu_slope(z):
    return CDF(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def gradient(params, images, labels):
    w1, b1, w2, b2, w3, b3 = params
    forward = Gemm()
    weight_backward = Gemm(trans_a=True)
    output_backward = Gemm(trans_b=True)
    hidden_backward = Gemm(trans_b=False)  # right: hidden_backward = Gemm(trans_b=True)

    z1 = forward(images, w1) + b1
    a1 = z1 * CDF(z1)
    z2 = forward(a1, w2) + b2
    a2 = z2 * CDF(z2)
    scores = forward(a2, w3) + b3
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1

    d3 = p / len(labels)
    d2 = output_backward(d3, w3) * gelu_slope(z2)
    d1 = hidden_backward(d2, w2) * gelu_slope(z1)
    out = []
    for a, d in ((images, d1), (a1, d2), (a2, d3)):
        out += [weight_backward(a, d), d.sum(axis=0)]
    return out
