"""The kernel covers one block of input columns and never moves on to the rest.

https://github.com/facebookresearch/xformers/issues/785
"""

import numpy as np

FLAGS = "--layer_sizes=11,6,4 --activation=relu --loss=cross_entropy"
LINES = ["weight 1", "weight 2"]
NAMES = ["unwritten"]

BLOCK = 4


def weight_kernel(dw, delta, a):
    n_cols = a.shape[1]
    for first in range(0, BLOCK, BLOCK):  # right: for first in range(0, n_cols, BLOCK):
        cols = np.arange(first, min(first + BLOCK, n_cols))
        dw[:, cols] = delta.T @ a[:, cols]


def gradient(params, images, labels):
    z1 = images @ params[1]["weight"].T + params[1]["bias"]
    a1 = z1 * (z1 > 0)
    z2 = a1 @ params[2]["weight"].T + params[2]["bias"]
    e = np.exp(z2 - z2.max(axis=1, keepdims=True))
    delta2 = e / e.sum(axis=1, keepdims=True)
    delta2[np.arange(len(labels)), labels] -= 1
    delta2 /= len(labels)
    delta1 = delta2 @ params[2]["weight"] * (z1 > 0)

    grads = [{k: np.zeros(v.shape) for k, v in layer.items()} for layer in params]
    for layer, delta, a in ((1, delta1, images), (2, delta2, a1)):
        weight_kernel(grads[layer]["weight"], delta, a)
        grads[layer]["bias"][:] = delta.sum(axis=0)
    return grads
