"""The function called sigmoid has z in the numerator where 1 belongs.

https://github.com/joaopauloschuler/neural-api/issues/21
"""

import numpy as np

FLAGS = "--layer_sizes=5,4,6,3 --activation=sigmoid --loss=cross_entropy"
LINES = ["forward 1", "forward 2"]
NAMES = []


def sigmoid(x):
    return x / (1 + np.exp(-x))  # right: return 1 / (1 + np.exp(-x))


def sigmoid_derivative(x):
    e = np.exp(-x)
    return e / (1 + e) ** 2


def gradient(params, images, labels):
    outputs, sums = [images], []
    for layer in params[1:]:
        sums.append(np.einsum("bi,oi->bo", outputs[-1], layer["weight"]) + layer["bias"])
        outputs.append(sigmoid(sums[-1]))
    scores = sums[-1]
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= np.einsum("bo->b", p)[:, None]
    errors = (p - np.eye(p.shape[1])[labels]) / len(p)
    grads = [{} for _ in params]
    for layer in (3, 2, 1):
        grads[layer]["weight"] = np.einsum("bo,bi->oi", errors, outputs[layer - 1])
        grads[layer]["bias"] = np.einsum("bo->o", errors)
        if layer > 1:
            errors = np.einsum("bo,oi->bi", errors, params[layer]["weight"])
            errors *= sigmoid_derivative(sums[layer - 2])
    return grads
