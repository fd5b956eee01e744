"""The gradient arrays are new for every image, so only the last image's gradient is used.

https://github.com/dmarcosg/DSAC/issues/6
"""

import numpy as np

FLAGS = "--layer_sizes=8,5,4 --activation=relu --loss=cross_entropy"
LINES = ["batch"]
NAMES = ["overwritten"]


def backprop(params, x, label):
    w1, b1 = params[1]["weight"], params[1]["bias"]
    w2, b2 = params[2]["weight"], params[2]["bias"]
    z1 = w1 @ x + b1
    a1 = z1 * (z1 > 0)
    e = np.exp(w2 @ a1 + b2)
    d2 = e / e.sum()
    d2[label] -= 1
    d1 = (w2.T @ d2) * (z1 > 0)
    return np.outer(d1, x), d1, np.outer(d2, a1), d2


def gradient(params, images, labels):
    shapes = [params[k][name].shape for k in (1, 2) for name in ("weight", "bias")]
    gradients = [np.zeros(s) for s in shapes]
    for j in range(len(images)):
        gradients = [np.zeros(s) for s in shapes]  # right: pass
        for i, g in enumerate(backprop(params, images[j], labels[j])):
            gradients[i] += g / len(images)
    dw1, db1, dw2, db2 = gradients
    return [{}, {"weight": dw1, "bias": db1}, {"weight": dw2, "bias": db2}]
