"""The workspace that a kernel adds its results to is not zeroed, so old results stay in it.

https://github.com/PASSIONLab/OpenEquivariance/pull/138
"""

import numpy as np

FLAGS = "--layer_sizes=8,6,5,4 --activation=relu --loss=cross_entropy"
LINES = ["bias 1", "bias 2"]
NAMES = []


def bias_kernel(workspace, delta):
    out = workspace[: delta.shape[1]]
    # right: out[:] = 0
    for row in delta:
        out += row
    return out.copy()


def gradient(params, images, labels):
    pre, post = [None], [images]
    for layer in params[1:]:
        pre.append(post[-1] @ layer["weight"].T + layer["bias"])
        post.append(np.maximum(pre[-1], 0))

    logits = pre[-1]
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    delta = p / p.sum(axis=1, keepdims=True)
    delta[np.arange(len(labels)), labels] -= 1
    delta /= len(labels)

    workspace = np.zeros(max(len(layer["bias"]) for layer in params[1:]))
    grads = [{}, {}, {}, {}]
    for k in (3, 2, 1):
        grads[k]["bias"] = bias_kernel(workspace, delta)
        grads[k]["weight"] = delta.T @ post[k - 1]
        if k > 1:
            delta = delta @ params[k]["weight"] * (pre[k - 1] > 0)
    return grads
