"""The leaky ReLU's backward is not given alpha and uses the usual 0.01; the forward uses 0.2.

https://github.com/deeplearning4j/deeplearning4j/issues/8178
"""

import numpy as np

FLAGS = "--layer_sizes=4,7,5,3 --activation=leaky_relu --negative_slope=0.2 --loss=squared_error"
LINES = ["delta 1", "delta 2", "delta 3"]
NAMES = ["slope-of-other"]


def lrelu(z, alpha=0.01):
    return np.where(z > 0, z, alpha * z)


def lrelu_bp(z, upstream, alpha=0.01):
    return np.where(z > 0, upstream, alpha * upstream)


def gradient(params, images, labels):
    alpha = 0.2
    cache = {"a0": images}
    for n in (1, 2, 3):
        cache[f"z{n}"] = cache[f"a{n - 1}"] @ params[n]["weight"].T + params[n]["bias"]
        cache[f"a{n}"] = lrelu(cache[f"z{n}"], alpha)
    grads = [{}, {}, {}, {}]
    upstream = 2 * (cache["a3"] - labels) / len(labels)
    for n in (3, 2, 1):
        z = cache[f"z{n}"]
        delta = lrelu_bp(z, upstream)  # right: delta = lrelu_bp(z, upstream, alpha)
        grads[n] = {"weight": delta.T @ cache[f"a{n - 1}"], "bias": delta.sum(axis=0)}
        upstream = delta @ params[n]["weight"]
    return grads
