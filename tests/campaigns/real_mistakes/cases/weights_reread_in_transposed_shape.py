"""The weights are not transposed: their memory is read as if it had the transposed shape.

https://github.com/pulp-platform/pulp-trainlib/issues/3
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,3 --activation=relu --loss=cross_entropy"
LINES = ["delta 1"]
NAMES = ["weights-not-transposed"]


def mm(a, b, rows, inner, cols):
    """The product of two matrices that are given as flat buffers."""
    out = np.zeros(rows * cols)
    for i in range(rows):
        for j in range(cols):
            for k in range(inner):
                out[i * cols + j] += a[i * inner + k] * b[k * cols + j]
    return out


def gradient(params, images, labels):
    n = len(images)
    w1, w2 = params[1]["weight"], params[2]["weight"]
    c_in, c_mid, c_out = w1.shape[1], w1.shape[0], w2.shape[0]
    x = images.T
    pre = w1 @ x + params[1]["bias"][:, None]
    mid = pre.clip(min=0)
    out = w2 @ mid + params[2]["bias"][:, None]
    out = np.exp(out - out.max(axis=0))
    out_diff = (out / out.sum(axis=0) - np.eye(c_out)[labels].T) / n

    coeff = w2.ravel()  # right: coeff = w2.T.ravel()
    mid_diff = mm(coeff, out_diff.ravel(), c_mid, c_out, n).reshape(c_mid, n)
    mid_diff *= pre > 0
    w1_diff = mm(mid_diff.ravel(), images.ravel(), c_mid, n, c_in).reshape(c_mid, c_in)
    return [
        {},
        {"weight": w1_diff, "bias": mid_diff.sum(axis=1)},
        {"weight": out_diff @ mid.T, "bias": out_diff.sum(axis=1)},
    ]
