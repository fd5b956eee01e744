"""The gradients are summed over the minibatch, not averaged, so their size grows with it.

https://github.com/davharris/mistnet/issues/33
"""

import numpy as np

FLAGS = "--layer_sizes=6,9,4,3 --activation=sigmoid --loss=cross_entropy"
LINES = ["batch | delta 3"]
NAMES = ["sum-not-mean"]


def gradient(params, images, labels):
    logistic = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    acts = [images]
    for layer in params[1:-1]:
        acts.append(logistic(acts[-1] @ layer["weight"].T + layer["bias"]))
    logits = acts[-1] @ params[-1]["weight"].T + params[-1]["bias"]
    error = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    error[range(len(labels)), labels] -= 1

    # right: error /= len(labels)
    grads = []
    for layer, a in zip(params[:0:-1], acts[::-1], strict=True):
        grads.insert(0, {"weight": error.T @ a, "bias": error.sum(axis=0)})
        error = (error @ layer["weight"]) * a * (1 - a)
    return [{}, *grads]
