"""The derivative of tanh is written as 1 + a², which is that of tan.

https://github.com/nicodjimenez/lstm/issues/41

The author of the issue believes that this corrects code which was right.
"""

import numpy as np

FLAGS = "--layer_sizes=4,9,5 --activation=tanh --loss=cross_entropy --layout=numpy --labels=one_hot"
LINES = ["delta 1"]
NAMES = ["slope-of-other"]


def tanh_derivative(values):
    return 1.0 + values**2  # right: return 1.0 - values**2


def softmax(scores):
    scores = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    return scores / np.sum(scores, axis=1, keepdims=True)


def gradient(params, images, labels):
    W1, b1, W2, b2 = params
    hidden = np.tanh(np.dot(images, W1) + b1)
    probs = softmax(np.dot(hidden, W2) + b2)

    diff_out = (probs - labels) / images.shape[0]
    diff_hidden = np.dot(diff_out, W2.T) * tanh_derivative(hidden)
    return [
        np.dot(images.T, diff_hidden),
        np.sum(diff_hidden, axis=0),
        np.dot(hidden.T, diff_out),
        np.sum(diff_out, axis=0),
    ]
