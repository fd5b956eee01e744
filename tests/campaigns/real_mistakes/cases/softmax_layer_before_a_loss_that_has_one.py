"""The network ends in a softmax, and the loss applies a softmax to its output again.

https://github.com/nfmcclure/tensorflow_cookbook/issues/86
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,4 --activation=relu --loss=cross_entropy"
LINES = ["forward 2 | delta 2"]
NAMES = []


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def dense(p):
    def forward(x):
        def backward(d, grads):
            grads.append({"weight": d.T @ x, "bias": d.sum(axis=0)})
            return d @ p["weight"]

        return x @ p["weight"].T + p["bias"], backward

    return forward


def relu(x):
    return np.maximum(x, 0), lambda d, _: d * (x > 0)


def softmax_layer(x):
    s = softmax(x)
    return s, lambda d, _: s * (d - (d * s).sum(axis=1, keepdims=True))


def softmax_cross_entropy_with_logits(logits, labels):
    return (softmax(logits) - np.eye(logits.shape[1])[labels]) / len(labels)


def gradient(params, images, labels):
    model = [dense(params[1]), relu, dense(params[2])]
    model.append(softmax_layer)  # right: pass
    steps, out, grads = [], images, []
    for layer in model:
        out, backward = layer(out)
        steps.append(backward)
    d = softmax_cross_entropy_with_logits(out, labels)
    for backward in reversed(steps):
        d = backward(d, grads)
    return [{}, *reversed(grads)]
