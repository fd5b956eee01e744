"""The penalty is λ/2 Σ W², but the gradient adds 2λW, that of λ Σ W².

https://github.com/titu1994/DenseNet/issues/57
"""

import numpy as np

FLAGS = "--layer_sizes=8,6,6,5 --activation=relu --loss=cross_entropy --l2=0.1"
LINES = ["weight 1", "weight 2", "weight 3"]
NAMES = ["regulariser"]

weight_decay = 0.1


def gradient(params, images, labels):
    pre, post = [], [images]
    for p in params[1:]:
        pre.append(post[-1] @ p["weight"].T + p["bias"])
        post.append(np.maximum(pre[-1], 0))

    scores = pre[-1] - pre[-1].max(axis=1, keepdims=True)
    soft = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    d = (soft - np.eye(soft.shape[1])[labels]) / len(labels)

    grads = [{}]
    for k in (3, 2, 1):
        w = params[k]["weight"]
        dw = d.T @ post[k - 1]
        dw = dw + 2 * weight_decay * w  # right: dw = dw + weight_decay * w
        grads.insert(1, {"weight": dw, "bias": d.sum(axis=0)})
        if k > 1:
            d = d @ w * (pre[k - 2] > 0)
    return grads
