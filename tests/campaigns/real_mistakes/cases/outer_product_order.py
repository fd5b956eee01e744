"""The outer product is taken as input times delta, although weights are stored [output, input].

https://github.com/iamtrask/Grokking-Deep-Learning/issues/23
"""

import numpy as np

FLAGS = "--layer_sizes=4,4,4 --activation=relu --loss=squared_error --biases=none"
LINES = ["weight 1", "weight 2"]
NAMES = ["transposed"]


def table(rows, columns):
    return np.array([[r * c for c in columns] for r in rows])


def gradient(params, images, labels):
    lower, upper = params[1]["weight"], params[2]["weight"]
    d_lower, d_upper = np.zeros((4, 4)), np.zeros((4, 4))
    for x, wanted in zip(images, labels, strict=True):
        hidden = np.maximum(lower @ x, 0)
        out = np.maximum(upper @ hidden, 0)
        back_out = np.where(out > 0, 2 * (out - wanted), 0) / len(images)
        back_hidden = np.where(hidden > 0, upper.T @ back_out, 0)
        d_upper += table(hidden, back_out)  # right: d_upper += table(back_out, hidden)
        d_lower += table(x, back_hidden)  # right: d_lower += table(back_hidden, x)
    return [{}, {"weight": d_lower}, {"weight": d_upper}]
