"""Of the binary cross-entropy, only the term y log p is differentiated: a label 0 adds nothing.

https://github.com/deeplearning4j/nd4j/issues/1328
"""

import numpy as np

FLAGS = "--layer_sizes=5,6,3 --activation=tanh --loss=binary_cross_entropy"
LINES = ["delta 2"]
NAMES = []


class LossBinaryXENT:
    def compute_gradient(self, labels, preout):
        output = 1 / (1 + np.exp(-preout))
        grad = labels / output  # right: grad = labels / output - (1 - labels) / (1 - output)
        return -grad * output * (1 - output)


def gradient(params, images, labels):
    (w1, b1), (w2, b2) = ((p["weight"], p["bias"]) for p in params[1:])
    a1 = np.tanh(images @ w1.T + b1)
    delta = LossBinaryXENT().compute_gradient(labels, a1 @ w2.T + b2) / labels.shape[0]
    epsilon = (delta @ w2) * (1 - a1**2)
    return [
        {},
        {"weight": epsilon.T @ images, "bias": epsilon.sum(axis=0)},
        {"weight": delta.T @ a1, "bias": delta.sum(axis=0)},
    ]
