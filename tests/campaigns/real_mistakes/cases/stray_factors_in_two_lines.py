"""One weight gradient has an extra factor 2, and one bias gradient an extra factor 4.

The thread names both mistakes.

https://github.com/bighuang624/Andrew-Ng-Deep-Learning-notes/issues/10
"""

import numpy as np

FLAGS = "--layer_sizes=4,5,3,1 --activation=relu --loss=binary_cross_entropy"
LINES = ["weight 2", "bias 1"]
NAMES = ["factor"]


def gradient(params, images, labels):
    m = len(images)
    zs, acts = [], [images]
    for layer in params[1:]:
        zs.append(acts[-1] @ layer["weight"].T + layer["bias"])
        acts.append(np.maximum(zs[-1], 0))
    third = 1 / (1 + np.exp(-zs[2])) - labels
    second = (third @ params[3]["weight"]) * (zs[1] > 0)
    first = (second @ params[2]["weight"]) * (zs[0] > 0)

    dw3 = third.T @ acts[2] / m
    db3 = third.sum(axis=0) / m
    dw2 = second.T @ acts[1] * 2 / m  # right: dw2 = second.T @ acts[1] / m
    db2 = second.sum(axis=0) / m
    dw1 = first.T @ images / m
    db1 = first.sum(axis=0) * 4 / m  # right: db1 = first.sum(axis=0) / m
    return [
        {},
        {"weight": dw1, "bias": db1},
        {"weight": dw2, "bias": db2},
        {"weight": dw3, "bias": db3},
    ]
