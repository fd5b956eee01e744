"""A hidden unit backpropagates its gradient after each path, and includes the earlier paths again.

https://github.com/karpathy/micrograd/issues/2
"""

import numpy as np

FLAGS = "--layer_sizes=4,5,3 --activation=tanh --loss=squared_error"
LINES = ["delta 1"]
NAMES = []


class Unit:
    def __init__(self, w, b):
        self.w, self.b = w, b
        self.dw, self.db = np.zeros(w.shape), 0.0

    def forward(self, x):
        self.x, self.grad = x, 0.0
        self.a = np.tanh(self.w @ x + self.b)
        return self.a

    def backward(self, from_above):
        self.grad += from_above
        passed_on = self.grad  # right: passed_on = from_above
        local = passed_on * (1 - self.a**2)
        self.dw += local * self.x
        self.db += local
        return local * self.w


def gradient(params, images, labels):
    hidden = [Unit(w, b) for w, b in zip(params[1]["weight"], params[1]["bias"], strict=True)]
    out = [Unit(w, b) for w, b in zip(params[2]["weight"], params[2]["bias"], strict=True)]
    for x, y in zip(images, labels, strict=True):
        h = np.array([u.forward(x) for u in hidden])
        for unit, target in zip(out, y, strict=True):
            error = 2 * (unit.forward(h) - target) / len(images)
            for below, flow in zip(hidden, unit.backward(error), strict=True):
                below.backward(flow)
    return [{}] + [
        {"weight": np.stack([u.dw for u in units]), "bias": np.array([u.db for u in units])}
        for units in (hidden, out)
    ]
