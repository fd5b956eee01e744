"""The softmax normalises along the batch, so each class sums to one over the examples.

https://github.com/ethanfetaya/NRI/issues/25
"""

import numpy as np

FLAGS = "--layer_sizes=7,6,5,3 --activation=relu --loss=cross_entropy"
LINES = ["forward 3 | delta 3"]
NAMES = []


def my_softmax(z, axis):
    z = np.exp(z - z.max(axis=axis, keepdims=True))
    return z / z.sum(axis=axis, keepdims=True)


def gradient(params, images, labels):
    # examples are columns here: every matrix is (units, examples)
    cache = {"A0": images.T}
    for layer in (1, 2, 3):
        w, b = params[layer]["weight"], params[layer]["bias"]
        cache[f"Z{layer}"] = w @ cache[f"A{layer - 1}"] + b[:, None]
        cache[f"A{layer}"] = np.maximum(cache[f"Z{layer}"], 0)
    probs = my_softmax(cache["Z3"], axis=1)  # right: probs = my_softmax(cache["Z3"], axis=0)

    n = labels.size
    dz = probs.copy()
    dz[labels, np.arange(n)] -= 1
    dz /= n
    grads = [{}, {}, {}, {}]
    for layer in (3, 2, 1):
        grads[layer]["weight"] = dz @ cache[f"A{layer - 1}"].T
        grads[layer]["bias"] = dz.sum(axis=1)
        if layer > 1:
            dz = (params[layer]["weight"].T @ dz) * (cache[f"Z{layer - 1}"] > 0)
    return grads
