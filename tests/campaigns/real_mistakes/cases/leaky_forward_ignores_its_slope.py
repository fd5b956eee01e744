"""The leaky ReLU's forward pass uses 0.1 instead of the given slope; its backward pass is right.

https://github.com/apache/tvm/pull/1218
"""

import numpy as np

FLAGS = "--layer_sizes=5,6,4 --activation=leaky_relu --negative_slope=0.4 --loss=cross_entropy"
LINES = ["forward 1"]
NAMES = []


def leaky_relu(t, alpha):
    calpha = 0.1  # right: calpha = alpha
    return np.where(t > 0, t, t * calpha)


def leaky_relu_grad(t, alpha):
    return np.where(t > 0, 1.0, alpha)


def gradient(params, images, labels, alpha=0.4):
    t = np.einsum("oi,ni->on", params[1]["weight"], images) + params[1]["bias"][:, None]
    h = leaky_relu(t, alpha)
    s = np.einsum("oh,hn->on", params[2]["weight"], h) + params[2]["bias"][:, None]
    s = np.exp(s - s.max(axis=0))
    ds = (s / s.sum(axis=0) - (labels == np.arange(len(s))[:, None])) / len(labels)
    dt = np.einsum("oh,on->hn", params[2]["weight"], ds) * leaky_relu_grad(t, alpha)
    return [
        {},
        {"weight": np.einsum("hn,ni->hi", dt, images), "bias": np.einsum("hn->h", dt)},
        {"weight": np.einsum("on,hn->oh", ds, h), "bias": np.einsum("on->o", ds)},
    ]
