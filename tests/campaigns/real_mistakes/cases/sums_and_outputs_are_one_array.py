"""The list of outputs is the list of sums under a second name; each output overwrites its sum.

https://github.com/omerbsezer/LSTM_RNN_Tutorials_with_Demo/issues/2
"""

import numpy as np

FLAGS = "--layer_sizes=4,6,5,3 --activation=sigmoid --loss=cross_entropy"
LINES = ["delta 1", "delta 2"]
NAMES = ["slope-at-a"]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gradient(params, images, labels):
    m = len(images)
    hidden = params[1:-1]
    c = [np.zeros((m, layer["bias"].size)) for layer in hidden]
    a = c  # right: a = [array.copy() for array in c]
    previous = images
    for t, layer in enumerate(hidden):
        c[t][:] = previous @ layer["weight"].T + layer["bias"]
        a[t][:] = sigmoid(c[t])
        previous = a[t]

    yt = np.exp(previous @ params[-1]["weight"].T + params[-1]["bias"])
    yt /= yt.sum(axis=1)[:, None]
    delta = (yt - np.eye(yt.shape[1])[labels]) / m
    grads = [{"weight": delta.T @ previous, "bias": delta.sum(axis=0)}]
    for t in reversed(range(len(hidden))):
        delta = delta @ params[t + 2]["weight"]
        delta *= sigmoid(c[t]) * sigmoid(-c[t])
        below = a[t - 1] if t else images
        grads.append({"weight": delta.T @ below, "bias": delta.sum(axis=0)})
    grads.append({})
    return grads[::-1]
