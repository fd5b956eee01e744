"""The output layer adds the bias of the hidden layer, which happens to be as wide.

https://github.com/jeremyong/cpp_nn_in_a_weekend/pull/5
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,5 --activation=relu --loss=cross_entropy"
LINES = ["forward 2"]
NAMES = []


def gradient(params, images, labels):
    (W1, b1), (W2, b2) = [(p["weight"], p["bias"]) for p in params[1:]]
    b = {1: b1, 2: b2}
    z1 = images @ W1.T + b[1]
    a1 = np.maximum(z1, 0.0)
    z2 = a1 @ W2.T + b[1]  # right: z2 = a1 @ W2.T + b[2]
    z2 -= z2.max(axis=1, keepdims=True)
    q = np.exp(z2)
    q /= q.sum(axis=1, keepdims=True)

    q[np.arange(len(q)), labels] -= 1.0
    q /= len(q)
    back = (q @ W2) * (z1 > 0)
    return [
        {},
        {"weight": back.T @ images, "bias": back.sum(axis=0)},
        {"weight": q.T @ a1, "bias": q.sum(axis=0)},
    ]
