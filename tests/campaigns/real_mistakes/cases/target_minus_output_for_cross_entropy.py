"""The output error of cross-entropy has the wrong sign: target − output.

https://github.com/haifengl/smile/pull/151
"""

import numpy as np

FLAGS = "--layer_sizes=3,6,5 --activation=sigmoid --loss=cross_entropy"
LINES = ["delta 2"]
NAMES = ["sign"]


def gradient(params, images, labels):
    units = {i: p["weight"].shape[0] for i, p in enumerate(params) if i}
    dw = {i: np.zeros_like(params[i]["weight"]) for i in units}
    db = {i: np.zeros(n) for i, n in units.items()}

    for x, label in zip(images, labels, strict=True):
        out1 = 1 / (1 + np.exp(-(params[1]["weight"] @ x + params[1]["bias"])))
        out2 = np.exp(params[2]["weight"] @ out1 + params[2]["bias"])
        out2 /= out2.sum()

        error = {2: np.zeros(units[2])}
        for i in range(units[2]):
            target = 1.0 if i == label else 0.0
            g = target - out2[i]  # right: g = out2[i] - target
            error[2][i] = g
        error[1] = (params[2]["weight"].T @ error[2]) * out1 * (1 - out1)
        for i, below in ((1, x), (2, out1)):
            dw[i] += error[i][:, None] * below
            db[i] += error[i]
    n = len(images)
    return [{}, *({"weight": dw[i] / n, "bias": db[i] / n} for i in (1, 2))]
