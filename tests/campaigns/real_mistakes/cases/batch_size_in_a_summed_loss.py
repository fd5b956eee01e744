"""The loss is the sum over the batch, but its gradient is divided by the batch size.

https://github.com/paiml/aprender/pull/2182
"""

import numpy as np

FLAGS = "--layer_sizes=5,6,4 --activation=relu --loss=cross_entropy --reduction=sum"
LINES = ["batch | delta 2"]
NAMES = ["averaged-twice", "factor"]


class CrossEntropy:
    def __init__(self, reduction):
        self.reduction = reduction

    def backward(self, logits, targets):
        batch, classes = logits.shape
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        grad = shifted / shifted.sum(axis=1, keepdims=True) - np.eye(classes)[targets]
        return grad / batch  # right: return grad / batch if self.reduction == "mean" else grad


def gradient(params, images, labels):
    z1 = images @ params[1]["weight"].T + params[1]["bias"]
    a1 = z1.clip(min=0)
    logits = a1 @ params[2]["weight"].T + params[2]["bias"]

    d2 = CrossEntropy("sum").backward(logits, labels)
    d1 = np.where(z1 > 0, d2 @ params[2]["weight"], 0)
    return [
        {},
        {"weight": d1.T @ images, "bias": d1.sum(axis=0)},
        {"weight": d2.T @ a1, "bias": d2.sum(axis=0)},
    ]
