"""The block of inputs is loaded before the loop and used with every block of δ.

https://github.com/fla-org/flash-linear-attention/pull/388
"""

import numpy as np

FLAGS = "--layer_sizes=6,7,5 --activation=leaky_relu --loss=squared_error --output=linear"
LINES = ["weight 1 | batch", "weight 2 | batch"]
NAMES = []


def backward_kernel(dy, x, BT=1):
    dw = np.zeros((dy.shape[1], x.shape[1]))
    db = np.zeros(dy.shape[1])
    b_x = x[:BT]
    for start in range(0, len(dy), BT):
        # right: b_x = x[start : start + BT]
        b_dy = dy[start : start + BT]
        dw += b_dy.T @ b_x
        db += b_dy.sum(axis=0)
    return {"weight": dw, "bias": db}


def gradient(params, images, labels):
    z = images @ params[1]["weight"].T + params[1]["bias"]
    a = np.maximum(z, 0.1 * z)
    out = a @ params[2]["weight"].T + params[2]["bias"]
    dy2 = 2 * (out - labels) / len(out)
    dy1 = dy2 @ params[2]["weight"]
    dy1[z <= 0] *= 0.1
    return [{}, backward_kernel(dy1, images), backward_kernel(dy2, a)]
