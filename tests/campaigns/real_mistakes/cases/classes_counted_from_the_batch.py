"""The one-hot encoding takes the number of classes from the largest label of the batch, so a batch
without the last class does not fit.

https://github.com/jwcalder/GraphLearning/issues/12
"""

import numpy as np

FLAGS = "--layer_sizes=4,5,6 --activation=tanh --loss=cross_entropy"
LINES = ["delta 2 | structure"]
NAMES = []


def label_to_onehot(labels, k):
    return (np.arange(k) == labels[:, np.newaxis]) * 1.0


def gradient(params, images, labels):
    k = int(np.max(labels)) + 1  # right: k = len(params[2]["bias"])
    wanted = label_to_onehot(labels, k)

    a = np.tanh(images @ params[1]["weight"].T + params[1]["bias"])
    s = a @ params[2]["weight"].T + params[2]["bias"]
    s = np.exp(s - s.max(axis=1, keepdims=True))
    err = (s / s.sum(axis=1, keepdims=True) - wanted) / len(wanted)
    back = (err @ params[2]["weight"]) * (1 - a**2)
    return [
        {},
        {"weight": back.T @ images, "bias": back.sum(axis=0)},
        {"weight": err.T @ a, "bias": err.sum(axis=0)},
    ]
