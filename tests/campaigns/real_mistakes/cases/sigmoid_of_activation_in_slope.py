"""The sigmoid is applied to the stored activations again before the slope is computed.

https://github.com/rasmusbergpalm/DeepLearnToolbox/issues/165

The author of the issue believes that this corrects code which was right.
"""

import numpy as np

FLAGS = "--layer_sizes=4,6,5,2 --activation=sigmoid --loss=half_squared_error"
LINES = ["delta 1", "delta 2"]
NAMES = ["slope-at-a"]


def sigm(p):
    return 1 / (1 + np.exp(-p))


def gradient(params, images, labels):
    n, m = len(params), images.shape[0]
    W = [np.column_stack([layer["bias"], layer["weight"]]) for layer in params[1:]]
    one = np.ones((m, 1))
    a = [np.hstack([one, images])]
    for i in range(n - 2):
        a.append(np.hstack([one, sigm(a[i] @ W[i].T)]))
    a.append(sigm(a[-1] @ W[-1].T))

    d = [None] * n
    d[n - 1] = -(labels - a[-1]) * a[-1] * (1 - a[-1])
    for i in range(n - 2, 0, -1):
        act = sigm(a[i])  # right: act = a[i]
        d_act = act * (1 - act)
        back = d[i + 1] if i + 1 == n - 1 else d[i + 1][:, 1:]
        d[i] = back @ W[i] * d_act

    grads = [{}]
    for i in range(n - 1):
        delta = d[i + 1] if i + 1 == n - 1 else d[i + 1][:, 1:]
        dW = delta.T @ a[i] / m
        grads.append({"weight": dW[:, 1:], "bias": dW[:, 0]})
    return grads
