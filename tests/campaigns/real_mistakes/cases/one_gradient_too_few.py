"""The backward function returns fewer gradients than the forward function has arguments.

https://github.com/feifeibear/long-context-attention/issues/149
"""

import numpy as np

FLAGS = "--layer_sizes=5,6,3 --activation=tanh --loss=cross_entropy"
LINES = ["structure"]
NAMES = []


def backward(saved, probs, labels):
    x, h, w2 = saved
    d_out = probs.copy()
    d_out[np.arange(len(labels)), labels] -= 1
    d_out /= len(labels)
    d_hidden = (1 - h**2) * (d_out @ w2)
    hidden = {"weight": d_hidden.T @ x, "bias": d_hidden.sum(axis=0)}
    out = {"weight": d_out.T @ h, "bias": d_out.sum(axis=0)}
    return [hidden, out]  # right: return [{}, hidden, out]


def gradient(params, images, labels):
    _, first, second = params
    h = np.tanh(images @ first["weight"].T + first["bias"])
    z = h @ second["weight"].T + second["bias"]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return backward((images, h, second["weight"]), e / e.sum(axis=1, keepdims=True), labels)
