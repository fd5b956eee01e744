"""The bias gradients are the row sums of the weight gradients.

https://github.com/rust0258/Deeplearning.ai-Natural-Language-Processing-Specialization/issues/64
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,8 --activation=relu --loss=cross_entropy"
LINES = ["bias 1", "bias 2"]
NAMES = []


def softmax(z):
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


def gradient(params, images, labels):
    W1, W2 = params[1]["weight"], params[2]["weight"]
    b1, b2 = params[1]["bias"].reshape(-1, 1), params[2]["bias"].reshape(-1, 1)
    x = images.T
    y = np.eye(len(W2))[labels].T
    n = x.shape[1]

    h = np.maximum(0, W1 @ x + b1)
    prob = softmax(W2 @ h + b2)

    dW2 = (prob - y) @ h.T / n
    db2 = dW2.sum(axis=1)  # right: db2 = (prob - y).sum(axis=1) / n
    back = W2.T @ (prob - y)
    back[h == 0] = 0
    dW1 = back @ x.T / n
    db1 = dW1.sum(axis=1)  # right: db1 = back.sum(axis=1) / n
    return [{}, {"weight": dW1, "bias": db1}, {"weight": dW2, "bias": db2}]
