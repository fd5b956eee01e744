"""Label smoothing adds 1/K to every target, where it should add ε/K.

https://github.com/TimDettmers/ConvE/issues/55
"""

import numpy as np

FLAGS = "--layer_sizes=5,8,6 --activation=tanh --loss=cross_entropy --label_smoothing=0.1"
LINES = ["delta 2"]
NAMES = []

LABEL_SMOOTHING = 0.1


def smooth(targets, eps):
    k = targets.shape[1]
    return (1.0 - eps) * targets + 1.0 / k  # right: return (1.0 - eps) * targets + eps / k


def gradient(params, images, labels):
    e1, e2 = params[1], params[2]
    hidden = np.tanh(images @ e1["weight"].T + e1["bias"])
    scores = hidden @ e2["weight"].T + e2["bias"]
    scores = scores - scores.max(axis=1, keepdims=True)
    pred = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    goal = smooth(np.eye(scores.shape[1])[labels], LABEL_SMOOTHING)
    d_scores = (pred - goal) / len(images)
    d_hidden = d_scores @ e2["weight"]
    d_hidden *= 1 - hidden**2
    return [
        {},
        {"weight": d_hidden.T @ images, "bias": d_hidden.sum(axis=0)},
        {"weight": d_scores.T @ hidden, "bias": d_scores.sum(axis=0)},
    ]
