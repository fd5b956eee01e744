"""The loss is the plain squared error, but its gradient lacks the factor 2.

https://github.com/davisking/dlib/issues/1169
"""

import numpy as np

FLAGS = "--layer_sizes=6,8,3 --activation=leaky_relu --negative_slope=0.1 --loss=squared_error"
LINES = ["delta 2"]
NAMES = ["factor", "other-loss"]

SLOPE = 0.1


def leaky(z):
    return np.where(z > 0, z, SLOPE * z)


def gradient(params, images, labels):
    scale = 1.0 / images.shape[0]
    z1 = np.einsum("ni,hi->nh", images, params[1]["weight"]) + params[1]["bias"]
    z2 = np.einsum("nh,oh->no", leaky(z1), params[2]["weight"]) + params[2]["bias"]

    g = np.empty_like(z2)
    for i, (truth, output) in enumerate(zip(labels, leaky(z2), strict=True)):
        temp2 = truth - output
        g[i] = -scale * temp2  # right: g[i] = -2.0 * scale * temp2
    g2 = g * np.where(z2 > 0, 1.0, SLOPE)
    g1 = np.einsum("no,oh->nh", g2, params[2]["weight"]) * np.where(z1 > 0, 1.0, SLOPE)
    return [
        {},
        {"weight": np.einsum("nh,ni->hi", g1, images), "bias": g1.sum(axis=0)},
        {"weight": np.einsum("no,nh->oh", g2, leaky(z1)), "bias": g2.sum(axis=0)},
    ]
