"""The softmax's Jacobian is filled with the scores where the probabilities belong.

https://python.dizzycoding.com/numpy-calculate-the-derivative-of-the-softmax-function/
"""

import numpy as np

FLAGS = "--layer_sizes=5,7,4 --activation=tanh --loss=cross_entropy"
LINES = ["delta 2"]
NAMES = []


class Softmax:
    def forward(self, scores):
        self.scores = scores
        exps = np.exp(scores)
        self.value = exps / np.sum(exps)
        return self.value

    def backward(self, upstream):
        p, z = self.value, self.scores
        J = np.empty((p.size, z.size))
        for i in range(p.size):
            for j in range(z.size):
                J[i, j] = p[i] * ((i == j) - z[j])  # right: J[i, j] = p[i] * ((i == j) - p[j])
        return J.T @ upstream


def gradient(params, images, labels):
    w1, b1, w2, b2 = (params[i][k] for i in (1, 2) for k in ("weight", "bias"))
    head = Softmax()
    rows1, rows2, a1 = [], [], np.tanh(images @ w1.T + b1)
    for a, label in zip(a1, labels, strict=True):
        p = head.forward(w2 @ a + b2)
        upstream = np.zeros_like(p)
        upstream[label] = -1.0 / (p[label] * len(images))
        rows2.append(head.backward(upstream))
        rows1.append((w2.T @ rows2[-1]) * (1 - a**2))
    d1, d2 = np.array(rows1), np.array(rows2)
    first = {"weight": d1.T @ images, "bias": d1.sum(0)}
    return [{}, first, {"weight": d2.T @ a1, "bias": d2.sum(0)}]
