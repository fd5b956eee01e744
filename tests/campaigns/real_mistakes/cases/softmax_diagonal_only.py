"""Each output is differentiated only with respect to its own score: -t/o times o(1 - o).

https://stats.stackexchange.com/questions/235528/backpropagation-with-softmax-cross-entropy/306710
"""

import numpy as np

FLAGS = "--layer_sizes=4,6,3 --activation=sigmoid --loss=cross_entropy"
LINES = ["delta 2"]
NAMES = ["softmax-diagonal"]


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def gradient(params, images, labels):
    w_ih, b_h = params[1]["weight"], params[1]["bias"]
    w_ho, b_o = params[2]["weight"], params[2]["bias"]
    g = [{}] + [{k: np.zeros_like(v) for k, v in p.items()} for p in params[1:]]
    for x, label in zip(images, labels, strict=True):
        hid = sigmoid(w_ih @ x + b_h)
        z = w_ho @ hid + b_o
        o = np.exp(z) / np.exp(z).sum()
        t = np.zeros(len(o))
        t[label] = 1.0

        dE_do = -t / o
        dE_dz = dE_do * o * (1 - o)  # right: dE_dz = o * (dE_do - (dE_do * o).sum())
        dE_dhid = w_ho.T @ dE_dz * hid * (1 - hid)
        g[2]["weight"] += np.outer(dE_dz, hid) / len(images)
        g[2]["bias"] += dE_dz / len(images)
        g[1]["weight"] += np.outer(dE_dhid, x) / len(images)
        g[1]["bias"] += dE_dhid / len(images)
    return g
