"""The weight decay is added once for every micro-batch instead of once for the whole batch.

https://github.com/keras-team/keras/issues/19990
"""

import numpy as np

FLAGS = "--layer_sizes=6,8,4 --activation=tanh --loss=cross_entropy --l2=0.1"
LINES = ["weight 1", "weight 2"]
NAMES = ["regulariser"]

STEP = 2
DECAY = 0.1


def add_micro_batch(total, params, x, y, n):
    w2 = params[2]["weight"]
    a = np.tanh(x @ params[1]["weight"].T + params[1]["bias"])
    z = a @ w2.T + params[2]["bias"]
    d2 = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    d2 -= np.eye(len(w2))[y]
    d2 /= n
    d1 = d2 @ w2 * (1 - a**2)
    total[1]["weight"] += d1.T @ x
    total[1]["bias"] += d1.sum(axis=0)
    total[2]["weight"] += d2.T @ a
    total[2]["bias"] += d2.sum(axis=0)


def gradient(params, images, labels):
    total = [{k: np.zeros_like(v) for k, v in layer.items()} for layer in params]
    n = len(images)
    for i in range(0, n, STEP):
        add_micro_batch(total, params, images[i : i + STEP], labels[i : i + STEP], n)
        times = 1  # right: times = float(i == 0)
        for layer in (1, 2):
            total[layer]["weight"] += times * DECAY * params[layer]["weight"]
    return total
