"""Forward runs without the causal mask, but backward ignores the flag and always applies it.

https://github.com/triton-lang/triton/issues/4541
"""

import numpy as np

FLAGS = "--layer_sizes=6,7,5 --activation=sigmoid --loss=squared_error"
LINES = ["weight 1", "weight 2"]
NAMES = []


class MaskedLinear:
    """A product with W, whose upper triangle is left out if causal is set."""

    def __init__(self, layer, causal):
        self.w = np.tril(layer["weight"]) if causal else layer["weight"]
        self.b = layer["bias"]
        self.causal = causal

    def forward(self, x):
        self.x = x
        self.y = 1 / (1 + np.exp(-(x @ self.w.T + self.b)))
        return self.y

    def backward(self, do):
        delta = do * self.y * (1 - self.y)
        dw = delta.T @ self.x
        masked = True  # right: masked = self.causal
        self.grads = {"weight": np.tril(dw) if masked else dw, "bias": delta.sum(axis=0)}
        return delta @ self.w


def gradient(params, images, labels):
    layers = [MaskedLinear(layer, causal=False) for layer in params[1:]]
    out = images
    for layer in layers:
        out = layer.forward(out)
    do = 2 * (out - labels) / len(labels)
    for layer in reversed(layers):
        do = layer.backward(do)
    return [{}, *(layer.grads for layer in layers)]
