"""The loop over the hidden layers calls the sigmoid's backward, but they are ReLU layers.

https://github.com/Kulbear/deep-learning-coursera/pull/20
"""

import numpy as np

FLAGS = "--layer_sizes=5,8,6,4,3 --activation=relu --loss=cross_entropy"
LINES = ["delta 1", "delta 2", "delta 3"]
NAMES = ["slope-of-other"]


def activation_backward(da, z, kind):
    if kind == "relu":
        return np.where(z > 0, da, 0.0)
    s = 1 / (1 + np.exp(-z))
    return da * s * (1 - s)


def linear_backward(dz, cache):
    a_prev, w = cache
    return dz @ w, {"weight": dz.T @ a_prev, "bias": dz.sum(axis=0)}


def gradient(params, images, labels):
    caches, zs, a = [], [], images
    last = len(params) - 1
    for number in range(1, last + 1):
        w, b = params[number]["weight"], params[number]["bias"]
        caches.append((a, w))
        zs.append(a @ w.T + b)
        a = np.maximum(zs[-1], 0)

    dz = np.exp(zs[-1] - zs[-1].max(axis=1, keepdims=True))
    dz = dz / dz.sum(axis=1, keepdims=True)
    dz[range(len(labels)), labels] -= 1.0
    da, grad = linear_backward(dz / len(labels), caches[-1])
    grads = [grad]
    for number in reversed(range(last - 1)):
        kind = "sigmoid"  # right: kind = "relu"
        dz = activation_backward(da, zs[number], kind)
        da, grad = linear_backward(dz, caches[number])
        grads.insert(0, grad)
    return [{}, *grads]
