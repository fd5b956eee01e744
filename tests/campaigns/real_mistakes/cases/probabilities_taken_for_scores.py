"""Two mistakes: the loss takes the probabilities for scores and puts them through a softmax
again before it divides by them, and it does not average over the batch.

https://github.com/fetchai/ledger/pull/1580
"""

import numpy as np

FLAGS = "--layer_sizes=4,7,5 --activation=tanh --loss=cross_entropy --labels=one_hot"
LINES = ["delta 2", "batch | delta 2"]
NAMES = ["sum-not-mean"]


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def loss_backward(prediction, truth):
    batch_size = 1  # right: batch_size = truth.shape[0]
    ret = softmax(prediction)  # right: ret = prediction
    return -truth / ret / batch_size


def softmax_backward(s, error):
    return s * (error - np.sum(error * s, axis=-1, keepdims=True))


def gradient(params, images, labels):
    h = np.tanh(images @ params[1]["weight"].T + params[1]["bias"])
    prediction = softmax(h @ params[2]["weight"].T + params[2]["bias"])
    d2 = softmax_backward(prediction, loss_backward(prediction, labels))
    d1 = (1 - h * h) * (d2 @ params[2]["weight"])
    grads = [{}]
    for d, a in ((d1, images), (d2, h)):
        grads.append({"weight": d.T @ a, "bias": d.sum(axis=0)})
    return grads
