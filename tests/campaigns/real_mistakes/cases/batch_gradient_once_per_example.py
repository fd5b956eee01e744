"""The gradient of the whole batch is added once for every example in the batch.

https://github.com/iamtrask/Grokking-Deep-Learning/issues/31
"""

import numpy as np

FLAGS = "--layer_sizes=7,9,4 --activation=relu --loss=squared_error --output=linear"
LINES = ["batch"]
NAMES = ["sum-not-mean"]


def gradient(params, images, labels):
    size = len(images)
    z = images @ params[1]["weight"].T + params[1]["bias"]
    hidden = z * (z > 0)
    guess = hidden @ params[2]["weight"].T + params[2]["bias"]

    hits = 0
    total = [{k: np.zeros_like(v) for k, v in p.items()} for p in params]
    rows = range(size)  # right: rows = range(1)
    for row in rows:
        hits += int(guess[row].argmax() == labels[row].argmax())
        d_guess = (guess - labels) * 2 / size
        d_hidden = d_guess @ params[2]["weight"] * (z > 0)
        for layer, d, a in ((2, d_guess, hidden), (1, d_hidden, images)):
            total[layer]["weight"] += d.T @ a
            total[layer]["bias"] += d.sum(axis=0)
    return total
