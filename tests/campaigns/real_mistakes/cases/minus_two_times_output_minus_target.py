"""The minus of −2(y − out) is kept although the difference is written the other way round.

https://github.com/oxford-cs-deepnlp-2017/lectures/issues/10
"""

import numpy as np

FLAGS = "--layer_sizes=4,9,1 --activation=tanh --loss=squared_error --output=linear"
LINES = ["delta 2"]
NAMES = ["sign"]


def gradient(params, images, labels):
    (w, b), (v, c) = [(p["weight"], p["bias"]) for p in params[1:]]
    hidden = np.tanh(images @ w.T + b)
    out = hidden @ v.T + c

    dcost = -2 * (out - labels) / len(labels)  # right: dcost = -2 * (labels - out) / len(labels)
    dhidden = dcost * v * (1 - hidden**2)
    return [
        {},
        {"weight": dhidden.T @ images, "bias": np.sum(dhidden, axis=0)},
        {"weight": dcost.T @ hidden, "bias": np.sum(dcost, axis=0)},
    ]
