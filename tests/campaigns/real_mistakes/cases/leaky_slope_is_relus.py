"""The derivative of the leaky ReLU is the ReLU's: 0 on the negative side.

https://github.com/scientific-computing/FKB/issues/15
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,3 --activation=leaky_relu --negative_slope=0.3 --loss=cross_entropy"
LINES = ["delta 1"]
NAMES = ["slope-of-other"]

ALPHA = 0.3


def leaky_relu(x):
    return np.where(x > 0, x, ALPHA * x)


def leaky_relu_prime(x):
    slope = np.ones_like(x)
    slope[ALPHA * x <= 0] = 0.0  # right: slope[ALPHA * x <= 0] = ALPHA
    return slope


def gradient(params, images, labels):
    first, second = params[1], params[2]
    z = images @ first["weight"].T + first["bias"]
    a = leaky_relu(z)
    logits = a @ second["weight"].T + second["bias"]
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs = exps / exps.sum(axis=1, keepdims=True)
    d2 = (probs - np.eye(probs.shape[1])[labels]) / len(images)
    d1 = d2 @ second["weight"] * leaky_relu_prime(z)
    return [
        {},
        {"weight": d1.T @ images, "bias": d1.sum(axis=0)},
        {"weight": d2.T @ a, "bias": d2.sum(axis=0)},
    ]
