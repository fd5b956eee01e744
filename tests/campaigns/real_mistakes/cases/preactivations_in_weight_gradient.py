"""The weight gradients multiply δ by the values before the tanh instead of after it.

https://github.com/maziarraissi/backprop/issues/1
"""

import numpy as np

FLAGS = (
    "--layer_sizes=5,9,6,3 --activation=tanh --loss=half_squared_error --output=linear"
    " --reduction=sum"
)
LINES = ["weight 2", "weight 3"]
NAMES = ["wrong-factor"]


def gradient(params, images, labels):
    W = [p["weight"].T for p in params[1:]]
    b = [p["bias"] for p in params[1:]]
    depth = len(W)

    before, after = [images], [images]
    for i in range(depth):
        before.append(after[i] @ W[i] + b[i])
        last = i + 1 == depth
        after.append(before[-1] if last else np.tanh(before[-1]))

    delta = [None] * depth
    delta[-1] = after[-1] - labels
    dW, db = [None] * depth, [None] * depth
    for i in reversed(range(depth)):
        dW[i] = before[i].T @ delta[i]  # right: dW[i] = after[i].T @ delta[i]
        db[i] = delta[i].sum(axis=0)
        if i:
            delta[i - 1] = delta[i] @ W[i].T * (1 - after[i] ** 2)
    return [{}] + [{"weight": w.T, "bias": c} for w, c in zip(dW, db, strict=True)]
