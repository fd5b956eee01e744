"""The regulariser's gradient is assigned to the weights' gradient instead of added to it.

https://github.com/open-nudge/torchlayers/issues/18
"""

import numpy as np

FLAGS = "--layer_sizes=5,8,3 --activation=relu --loss=squared_error --output=linear --l2=0.2"
LINES = ["weight 1", "weight 2"]
NAMES = []


class L2:
    def __init__(self, strength):
        self.strength = strength

    def apply(self, grads, params):
        for g, p in zip(grads[1:], params[1:], strict=True):
            penalty = self.strength * p["weight"]
            g["weight"] = penalty  # right: g["weight"] = g["weight"] + penalty


def gradient(params, images, labels):
    a, b = params[1], params[2]
    pre = images @ a["weight"].T + a["bias"]
    h = pre.clip(min=0)
    residual = h @ b["weight"].T + b["bias"] - labels
    d_out = 2 * residual / len(residual)
    d_pre = np.where(pre > 0, d_out @ b["weight"], 0)
    grads = [
        {},
        {"weight": d_pre.T @ images, "bias": d_pre.sum(0)},
        {"weight": d_out.T @ h, "bias": d_out.sum(0)},
    ]
    L2(0.2).apply(grads, params)
    return grads
