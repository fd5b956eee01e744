"""A clipping component limits each example's derivative by its norm on the way back.

https://github.com/kaldi-asr/kaldi/pull/803
"""

import numpy as np

FLAGS = "--layer_sizes=6,9,5,4 --activation=tanh --loss=squared_error"
LINES = ["delta 1"]
NAMES = ["clipped"]

THRESHOLD = 0.01


def clip_gradient(deriv):
    norms = np.linalg.norm(deriv, axis=1, keepdims=True)
    return deriv * np.minimum(1, THRESHOLD / norms)


def gradient(params, images, labels):
    w1, w2, w3 = (p["weight"] for p in params[1:])
    a1 = np.tanh(images @ w1.T + params[1]["bias"])
    a2 = np.tanh(a1 @ w2.T + params[2]["bias"])
    a3 = np.tanh(a2 @ w3.T + params[3]["bias"])

    deriv3 = 2 / len(images) * (a3 - labels) * (1 - a3**2)
    deriv2 = deriv3 @ w3 * (1 - a2**2)
    in_deriv = clip_gradient(deriv2 @ w2)  # right: in_deriv = deriv2 @ w2
    deriv1 = in_deriv * (1 - a1**2)

    pairs = [(deriv1, images), (deriv2, a1), (deriv3, a2)]
    return [{}] + [{"weight": d.T @ a, "bias": d.sum(axis=0)} for d, a in pairs]
