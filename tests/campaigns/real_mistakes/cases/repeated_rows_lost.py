"""Targets are subtracted by fancy indexing, which counts a repeated class only once.

https://github.com/karpathy/nn-zero-to-hero/issues/57
"""

import numpy as np

FLAGS = "--layer_sizes=8,7,3 --activation=tanh --loss=cross_entropy"
LINES = ["weight 2"]
NAMES = []


def gradient(params, images, labels):
    C = params[2]["weight"]
    h = np.tanh(images @ params[1]["weight"].T + params[1]["bias"])
    logits = h @ C.T + params[2]["bias"]
    counts = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs = counts / counts.sum(axis=1, keepdims=True)
    n = len(labels)

    # dC is the term of the probabilities minus that of the targets
    dC = probs.T @ h / n
    dC[labels] -= h / n  # right: np.subtract.at(dC, labels, h / n)
    dbias = probs.sum(axis=0) / n
    np.subtract.at(dbias, labels, 1 / n)

    dh = (probs @ C - C[labels]) / n
    dhpre = (1 - h**2) * dh
    return [
        {},
        {"weight": dhpre.T @ images, "bias": dhpre.sum(axis=0)},
        {"weight": dC, "bias": dbias},
    ]
