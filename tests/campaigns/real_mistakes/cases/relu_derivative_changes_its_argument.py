"""d_relu writes its ones and zeros into the array it is given, which is the activation itself.

https://stackoverflow.com/questions/50121887/relu-derivative-with-numpy
"""

import numpy as np

FLAGS = "--layer_sizes=6,7,3 --activation=relu --loss=cross_entropy"
LINES = ["weight 2"]
NAMES = []


def relu(z):
    return np.maximum(0, z)


def d_relu(z):
    # right: z = z.copy()
    z[z > 0] = 1
    z[z <= 0] = 0
    return z


def gradient(params, images, labels):
    w1, w2 = params[1]["weight"], params[2]["weight"]
    y1 = relu(images @ w1.T + params[1]["bias"])
    y2 = y1 @ w2.T + params[2]["bias"]
    y2 = np.exp(y2 - y2.max(axis=1, keepdims=True))
    y2 /= y2.sum(axis=1, keepdims=True)

    error = y2
    error[np.arange(len(labels)), labels] -= 1
    error /= len(labels)
    hidden_error = error @ w2 * d_relu(y1)
    return [
        {},
        {"weight": hidden_error.T @ images, "bias": hidden_error.sum(axis=0)},
        {"weight": error.T @ y1, "bias": error.sum(axis=0)},
    ]
