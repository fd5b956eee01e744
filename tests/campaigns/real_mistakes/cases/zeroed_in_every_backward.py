"""Each backward pass first clears the gradients, so a batch keeps only its last example.

https://github.com/karpathy/convnetjs/issues/17
"""

import numpy as np

FLAGS = "--layer_sizes=5,8,6,3 --activation=tanh --loss=squared_error"
LINES = ["batch"]
NAMES = ["overwritten"]


class Volume:
    def __init__(self, w):
        self.w = w
        self.dw = np.zeros(w.shape)


class Net:
    def __init__(self, params):
        self.filters = [Volume(layer["weight"]) for layer in params[1:]]
        self.biases = [Volume(layer["bias"]) for layer in params[1:]]

    def forward(self, x):
        self.acts = [x]
        for f, b in zip(self.filters, self.biases, strict=True):
            self.acts.append(np.tanh(f.w @ self.acts[-1] + b.w))

    def backward(self, y):
        chain = 2 * (self.acts[-1] - y)
        for i in reversed(range(len(self.filters))):
            f, b = self.filters[i], self.biases[i]
            chain = chain * (1 - self.acts[i + 1] ** 2)
            f.dw[:], b.dw[:] = 0, 0  # right: pass
            f.dw += np.outer(chain, self.acts[i])
            b.dw += chain
            chain = f.w.T @ chain


def gradient(params, images, labels):
    net = Net(params)
    for x, y in zip(images, labels, strict=True):
        net.forward(x)
        net.backward(y)
    n = len(images)
    pairs = zip(net.filters, net.biases, strict=True)
    return [{}] + [{"weight": f.dw / n, "bias": b.dw / n} for f, b in pairs]
