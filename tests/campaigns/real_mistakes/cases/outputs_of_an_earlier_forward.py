"""Backward takes the outputs that the container still holds from an earlier forward call.

https://github.com/torch/nn/issues/1015
"""

import numpy as np

FLAGS = "--layer_sizes=6,8,4 --activation=sigmoid --loss=squared_error"
LINES = ["state"]
NAMES = []


class Sequential:
    def __init__(self):
        self.outputs = {}

    def forward(self, params, x):
        values = [x]
        for p in params[1:]:
            values.append(1 / (1 + np.exp(-(values[-1] @ p["weight"].T + p["bias"]))))
        self.outputs[len(x)] = values

    def backward(self, params, x, y):
        if len(x) not in self.outputs:  # right: if True:
            self.forward(params, x)
        _, hidden, out = self.outputs[len(x)]
        d2 = 2 * (out - y) * out * (1 - out) / len(x)
        d1 = (d2 @ params[2]["weight"]) * hidden * (1 - hidden)
        return [
            {},
            {"weight": d1.T @ x, "bias": d1.sum(axis=0)},
            {"weight": d2.T @ hidden, "bias": d2.sum(axis=0)},
        ]


model = Sequential()


def gradient(params, images, labels):
    return model.backward(params, images, labels)
