"""The number of examples is the length of a squeezed input: for one example, that of its features.

https://github.com/deeplearning4j/deeplearning4j/pull/1452
"""

import numpy as np

FLAGS = "--layer_sizes=10,6,5 --activation=sigmoid --loss=squared_error"
LINES = ["batch"]
NAMES = []


def slices(array):
    return len(np.squeeze(array))


def gradient(params, images, labels):
    a = [images]
    for layer in params[1:]:
        z = a[-1] @ layer["weight"].T + layer["bias"]
        a.append(1 / (1 + np.exp(-z)))

    examples = slices(images)  # right: examples = images.shape[0]
    epsilon = 2 * (a[2] - labels)
    result = [{}, {}, {}]
    for level in (2, 1):
        delta = epsilon * a[level] * (1 - a[level])
        result[level]["weight"] = np.einsum("no,ni->oi", delta, a[level - 1]) / examples
        result[level]["bias"] = np.einsum("no->o", delta) / examples
        epsilon = delta @ params[level]["weight"]
    return result
