"""The mean losses of the chunks are added up, so the gradient grows with the number of chunks.

https://github.com/NVIDIA-NeMo/Automodel/issues/3803
"""

import numpy as np

FLAGS = "--layer_sizes=8,9,5 --activation=tanh --loss=cross_entropy"
LINES = ["batch"]
NAMES = []


def d_logits(logits, targets, chunk_len=4):
    pieces = []
    for i in range(0, len(logits), chunk_len):
        z, t = logits[i : i + chunk_len], targets[i : i + chunk_len]
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(t)), t] -= 1
        pieces.append(p / len(t))  # right: pieces.append(p / len(targets))
    return np.concatenate(pieces)


def gradient(params, images, labels):
    hidden = np.tanh(images @ params[1]["weight"].T + params[1]["bias"])
    delta = d_logits(hidden @ params[2]["weight"].T + params[2]["bias"], labels)
    below = (1 - hidden**2) * (delta @ params[2]["weight"])
    return [
        {},
        {"weight": below.T @ images, "bias": below.sum(axis=0)},
        {"weight": delta.T @ hidden, "bias": delta.sum(axis=0)},
    ]
