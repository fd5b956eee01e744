"""The bias gradients are means over the batch, though δ already contains 1/N.

https://github.com/kvfrans/notes/issues/5
"""

import numpy as np

FLAGS = "--layer_sizes=9,7,6,4 --activation=tanh --loss=cross_entropy"
LINES = ["bias 1", "bias 2", "bias 3"]
NAMES = ["bias-scale"]


def gradient(params, images, labels):
    activations = [images.T]
    for i, layer in enumerate(params[1:], start=1):
        z = layer["weight"] @ activations[-1] + layer["bias"][:, None]
        activations.append(np.tanh(z) if i < len(params) - 1 else z)

    logits = activations[-1]
    p = np.exp(logits - logits.max(axis=0))
    p /= p.sum(axis=0)
    p[labels, np.arange(labels.size)] -= 1
    d_h = p / labels.size

    grads = [{} for _ in params]
    for i in range(len(params) - 1, 0, -1):
        grads[i]["weight"] = d_h @ activations[i - 1].T
        grads[i]["bias"] = d_h.mean(axis=1)  # right: grads[i]["bias"] = d_h.sum(axis=1)
        d_h = (params[i]["weight"].T @ d_h) * (1 - activations[i - 1] ** 2)
    return grads
