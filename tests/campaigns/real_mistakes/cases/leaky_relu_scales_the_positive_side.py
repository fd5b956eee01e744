"""The leaky ReLU is 0 below zero and alpha x above, in the forward pass and in its derivative.

https://github.com/BrainJS/brain.js/issues/560

The thread found the mistake in two places: the outputs and the deltas.
"""

import numpy as np

FLAGS = "--layer_sizes=5,7,4 --activation=leaky_relu --negative_slope=0.1 --loss=cross_entropy"
LINES = ["forward 1", "delta 1"]
NAMES = []


def gradient(params, images, labels):
    alpha = 0.1
    grads = [{key: np.zeros_like(leaf) for key, leaf in layer.items()} for layer in params]
    w1, b1, w2, b2 = (params[i][key] for i in (1, 2) for key in ("weight", "bias"))
    for pixels, label in zip(images, labels, strict=True):
        h = []
        for weights, bias in zip(w1, b1, strict=True):
            s = bias + sum(weights * pixels)
            h.append(0 if s < 0 else alpha * s)  # right: h.append(alpha * s if s < 0 else s)
        hidden = np.array(h)
        scores = w2 @ hidden + b2
        out = np.exp(scores - scores.max())
        out /= out.sum()
        out[label] -= 1
        delta2 = out / len(images)
        errors = w2.T @ delta2
        sums = w1 @ pixels + b1
        slopes = np.where(sums < 0, 0, alpha)  # right: slopes = np.where(sums < 0, alpha, 1)
        delta1 = errors * slopes
        grads[1]["weight"] += np.outer(delta1, pixels)
        grads[1]["bias"] += delta1
        grads[2]["weight"] += np.outer(delta2, hidden)
        grads[2]["bias"] += delta2
    return grads
