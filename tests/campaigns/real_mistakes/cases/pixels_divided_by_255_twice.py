"""The images come scaled to [0, 1] and are divided by 255 once more.

https://github.com/pkmital/pycadl/pull/5
"""

import numpy as np

FLAGS = "--layer_sizes=9,6,4 --activation=relu --loss=cross_entropy"
LINES = ["input"]
NAMES = []


def gradient(params, images, labels):
    batch = images / 255.0  # right: batch = images
    w1, b1 = params[1]["weight"], params[1]["bias"]
    w2, b2 = params[2]["weight"], params[2]["bias"]
    g = {"w1": np.zeros_like(w1), "b1": np.zeros_like(b1)}
    g |= {"w2": np.zeros_like(w2), "b2": np.zeros_like(b2)}
    for x, label in zip(batch, labels, strict=True):
        z = w1 @ x + b1
        h = np.where(z > 0, z, 0.0)
        scores = w2 @ h + b2
        p = np.exp(scores - max(scores))
        p /= sum(p)
        p[label] -= 1.0
        dz = (p @ w2) * (z > 0)
        g["w2"] += np.outer(p, h)
        g["b2"] += p
        g["w1"] += np.outer(dz, x)
        g["b1"] += dz
    for total in g.values():
        total /= len(batch)
    return [{}, {"weight": g["w1"], "bias": g["b1"]}, {"weight": g["w2"], "bias": g["b2"]}]
