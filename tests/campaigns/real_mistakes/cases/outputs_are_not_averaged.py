"""The binary cross-entropy is also averaged over the outputs, but its derivative is not.

https://github.com/oysteijo/simd_neuralnet/issues/1
"""

import numpy as np

FLAGS = (
    "--layer_sizes=7,4,5 --activation=relu --loss=binary_cross_entropy --reduction=mean_over_all"
)
LINES = ["batch | delta 2"]
NAMES = ["factor"]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def crossentropy_derivative(output, target):
    n_outputs = 1  # right: n_outputs = target.shape[1]
    return (output - target) / (output * (1 - output)) / n_outputs


def gradient(params, images, labels):
    sums = {1: np.zeros(4), 2: np.zeros(5)}
    grads = [{}] + [{k: np.zeros(v.shape) for k, v in params[i].items()} for i in (1, 2)]
    for x, target in zip(images, labels, strict=True):
        sums[1] = params[1]["weight"] @ x + params[1]["bias"]
        hidden = np.maximum(sums[1], 0)
        sums[2] = params[2]["weight"] @ hidden + params[2]["bias"]
        output = sigmoid(sums[2])

        error = crossentropy_derivative(output, target[None])[0] * output * (1 - output)
        back = (error @ params[2]["weight"]) * (sums[1] > 0)
        for grad, e, signal in ((grads[1], back, x), (grads[2], error, hidden)):
            grad["weight"] += np.outer(e, signal) / len(images)
            grad["bias"] += e / len(images)
    return grads
