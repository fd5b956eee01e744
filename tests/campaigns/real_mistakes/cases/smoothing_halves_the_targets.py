"""Label smoothing of two classes makes (y + ε)/2 of a target y, where it should make
(1 − ε)y + ε/2.

https://github.com/eladhoffer/utils.pytorch/issues/13
"""

import numpy as np

FLAGS = "--layer_sizes=6,4,2 --activation=sigmoid --loss=cross_entropy --label_smoothing=0.2"
LINES = ["delta 2"]
NAMES = []

SMOOTH_EPS = 0.2


def smoothed(target):
    return (target + SMOOTH_EPS) / 2.0  # right: return target * (1 - SMOOTH_EPS) + SMOOTH_EPS / 2


def gradient(params, images, labels):
    (w1, b1), (w2, b2) = ((p["weight"], p["bias"]) for p in params[1:])
    target = smoothed(np.stack([labels == 0, labels == 1], axis=1).astype(float))
    h = 1 / (1 + np.exp(-(images @ w1.T + b1)))
    score = h @ w2.T + b2
    log_p = score - np.logaddexp(score[:, :1], score[:, 1:])
    d2 = np.exp(log_p) - target
    d2 /= len(d2)
    d1 = d2 @ w2 * h * (1 - h)
    return [
        {},
        {"weight": d1.T @ images, "bias": d1.sum(axis=0)},
        {"weight": d2.T @ h, "bias": d2.sum(axis=0)},
    ]
