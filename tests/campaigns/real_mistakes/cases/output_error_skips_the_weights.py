"""The hidden delta is the output error times the hidden slope; the weights never come in.

https://whosebug.com/question/2948401/Backpropagation-Why-doesn-t-error-approach-zero-when-it-is-multiplied-by-deriv-of-sigmoid
"""

import numpy as np

FLAGS = "--layer_sizes=3,5,1 --activation=sigmoid --loss=squared_error --biases=none"
LINES = ["delta 1"]
NAMES = []


def sigmoid(x, deriv=False):
    if deriv:
        return x * (1 - x)
    return 1 / (1 + np.exp(-x))


def gradient(params, images, labels):
    w_0, w_1 = params[1]["weight"], params[2]["weight"]
    g_0, g_1 = np.zeros(w_0.shape), np.zeros(w_1.shape)
    for record, label in zip(images, labels, strict=True):
        inputs = np.array(record, ndmin=2).T
        hidden = sigmoid(w_0 @ inputs)
        output = sigmoid(w_1 @ hidden)

        error = output - np.array(label, ndmin=2).T
        delta = 2 * error * sigmoid(output, True)
        hidden_error = 2 * error  # right: hidden_error = w_1.T @ delta
        delta_hidden = hidden_error * sigmoid(hidden, True)

        g_1 += delta @ hidden.T
        g_0 += delta_hidden @ inputs.T
    n = len(images)
    return [{}, {"weight": g_0 / n}, {"weight": g_1 / n}]
