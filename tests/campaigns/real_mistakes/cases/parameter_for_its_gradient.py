"""The biases themselves are returned in place of their gradients.

https://github.com/apache/systemds/pull/2330
"""

import numpy as np

FLAGS = "--layer_sizes=6,4,3,6 --activation=tanh --loss=squared_error"
LINES = ["bias 1", "bias 2", "bias 3"]
NAMES = ["unwritten"]


def forward(params, x):
    acts = {"H0": x}
    for k in range(1, len(params)):
        acts[f"H{k}"] = np.tanh(acts[f"H{k - 1}"] @ params[k]["weight"].T + params[k]["bias"])
    return acts


def gradient(params, images, labels):
    acts = forward(params, images)
    upd = {}
    e = (acts["H3"] - labels) * (2 / images.shape[0])
    for k in (3, 2, 1):
        e = e * (1 - acts[f"H{k}"] ** 2)
        upd[f"W{k}"] = e.T @ acts[f"H{k - 1}"]
        upd[f"b{k}"] = params[k]["bias"]  # right: upd[f"b{k}"] = e.sum(axis=0)
        e = e @ params[k]["weight"]
    return [{}] + [{"weight": upd[f"W{k}"], "bias": upd[f"b{k}"].copy()} for k in (1, 2, 3)]
