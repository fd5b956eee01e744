"""The sigmoid's backward is called with the sigmoid's output in place of the upstream gradient.

https://github.com/torch/torch7/issues/232
"""

import numpy as np

FLAGS = "--layer_sizes=5,6,3 --activation=sigmoid --loss=cross_entropy --l2=0.05"
LINES = ["delta 1"]
NAMES = []


class Sigmoid:
    def forward(self, x):
        self.output = 1 / (1 + np.exp(-x))
        return self.output

    def backward(self, x, grad_output):
        return grad_output * self.output * (1 - self.output)


def gradient(params, images, labels, decay=0.05):
    w1, w2 = params[1]["weight"], params[2]["weight"]
    sigmoid = Sigmoid()
    x = images @ w1.T + params[1]["bias"]
    sf = sigmoid.forward(x)
    scores = sf @ w2.T + params[2]["bias"]
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    grad_scores = p / len(labels)
    sb = sigmoid.backward(x, sf)  # right: sb = sigmoid.backward(x, grad_scores @ w2)
    return [
        {},
        {"weight": sb.T @ images + decay * w1, "bias": sb.sum(axis=0)},
        {"weight": grad_scores.T @ sf + decay * w2, "bias": grad_scores.sum(axis=0)},
    ]
