"""The output bias gradient is one sum over examples and classes, broadcast to every class.

https://github.com/rasbt/stat453-deep-learning-ss21/issues/5
"""

import numpy as np

FLAGS = "--layer_sizes=7,5,3 --activation=leaky_relu --negative_slope=0.2 --loss=cross_entropy"
LINES = ["bias 2"]
NAMES = ["unwritten", "wrong-axis"]


def gradient(params, images, labels):
    hidden, out = params[1], params[2]
    z = images.dot(hidden["weight"].T) + hidden["bias"]
    a = np.where(z > 0, z, 0.2 * z)
    logits = a.dot(out["weight"].T) + out["bias"]
    probas = np.exp(logits - logits.max(axis=1)[:, np.newaxis])
    probas = probas / probas.sum(axis=1)[:, np.newaxis]

    y = np.zeros_like(probas)
    y[range(len(y)), labels] = 1.0
    minus_error = (y - probas) / len(y)

    grad_w2 = -minus_error.T.dot(a)
    grad_b2 = -np.sum(minus_error)  # right: grad_b2 = -np.sum(minus_error, axis=0)
    back = -minus_error.dot(out["weight"]) * np.where(z > 0, 1.0, 0.2)
    return [
        {},
        {"weight": back.T.dot(images), "bias": back.sum(axis=0)},
        {"weight": grad_w2, "bias": grad_b2 * np.ones(len(out["bias"]))},
    ]
