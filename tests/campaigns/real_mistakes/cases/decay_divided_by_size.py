"""The weight decay of each matrix is divided by the matrix's number of entries.

https://github.com/matterport/Mask_RCNN/issues/1727
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,4,3 --activation=leaky_relu --loss=cross_entropy --l2=0.1"
LINES = ["weight 1", "weight 2", "weight 3"]
NAMES = ["regulariser"]

WEIGHT_DECAY = 0.1


def slope(z):
    return np.where(z > 0, 1.0, 0.1)


def gradient(params, images, labels):
    zs, xs = [], [images]
    for p in params[1:]:
        zs.append(np.einsum("oi,ni->no", p["weight"], xs[-1]) + p["bias"])
        xs.append(zs[-1] * slope(zs[-1]))

    top = zs[-1]
    log_p = top - np.log(np.exp(top).sum(axis=1, keepdims=True))
    delta = (np.exp(log_p) - np.identity(top.shape[1])[labels]) / len(top)
    grads = []
    for k in range(len(zs) - 1, -1, -1):
        w = params[k + 1]["weight"]
        decay = WEIGHT_DECAY * w / w.size  # right: decay = WEIGHT_DECAY * w
        grads.append(
            {"weight": np.einsum("no,ni->oi", delta, xs[k]) + decay, "bias": delta.sum(axis=0)}
        )
        if k > 0:
            delta = np.einsum("no,oi->ni", delta, w) * slope(zs[k - 1])
    return [{}, *grads[::-1]]
