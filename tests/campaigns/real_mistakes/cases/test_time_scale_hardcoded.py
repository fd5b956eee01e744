"""Without dropout, the hidden activations are still scaled by 0.5, which was hardcoded.

https://github.com/mp2893/retain/pull/1
"""

import numpy as np

FLAGS = "--layer_sizes=6,8,4 --activation=tanh --loss=cross_entropy"
LINES = ["forward 1"]
NAMES = []

KEEP = 1.0


def dropout_layer(state, mask):
    if mask is None:
        return state * 0.5  # right: return state * KEEP
    return state * mask


def gradient(params, images, labels, mask=None):
    w1, b1, w2, b2 = (params[i][key] for i in (1, 2) for key in ("weight", "bias"))
    state = np.tanh(images @ w1.T + b1)
    visible = dropout_layer(state, mask)
    y = np.exp(visible @ w2.T + b2)
    y = y / y.sum(axis=1, keepdims=True)

    d_out = y.copy()
    d_out[np.arange(len(labels)), labels] -= 1
    d_out /= len(labels)
    d_state = d_out @ w2 * (KEEP if mask is None else mask)
    d_in = d_state * (1 - state**2)
    return [
        {},
        {"weight": d_in.T @ images, "bias": d_in.sum(axis=0)},
        {"weight": d_out.T @ visible, "bias": d_out.sum(axis=0)},
    ]
