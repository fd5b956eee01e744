"""leaky_relu first replaces x by its ReLU, so no negative value is left to be scaled.

https://github.com/tflearn/tflearn/pull/784
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,4,3 --activation=leaky_relu --negative_slope=0.25 --loss=cross_entropy"
LINES = ["forward 1", "forward 2"]
NAMES = []


def leaky_relu(x, alpha):
    x = np.maximum(x, 0)  # right: pass
    positive, negative = np.maximum(x, 0), np.maximum(-x, 0)
    return positive - alpha * negative


def gradient(params, images, labels):
    alpha = 0.25
    (w1, b1), (w2, b2), (w3, b3) = ((p["weight"], p["bias"]) for p in params[1:])
    z1 = np.einsum("ni,oi->no", images, w1) + b1
    a1 = leaky_relu(z1, alpha)
    z2 = np.einsum("ni,oi->no", a1, w2) + b2
    a2 = leaky_relu(z2, alpha)
    z3 = np.einsum("ni,oi->no", a2, w3) + b3

    p = np.exp(z3 - z3.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    d3 = (p - np.eye(3)[labels]) / len(labels)
    d2 = np.einsum("no,oi->ni", d3, w3) * np.where(z2 > 0, 1, alpha)
    d1 = np.einsum("no,oi->ni", d2, w2) * np.where(z1 > 0, 1, alpha)
    pairs = [(d1, images), (d2, a1), (d3, a2)]
    return [{}] + [
        {"weight": np.einsum("no,ni->oi", d, a), "bias": np.einsum("no->o", d)} for d, a in pairs
    ]
