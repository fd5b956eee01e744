"""On the negative side, the scaled gradient goes into the wrong array; the output stays 0.

https://github.com/SilasMarvin/dnns-from-scratch-in-zig/issues/5
"""

import numpy as np

FLAGS = "--layer_sizes=5,8,4,3 --activation=leaky_relu --negative_slope=0.01 --loss=cross_entropy"
LINES = ["delta 1", "delta 2"]
NAMES = ["slope-of-other"]


class LeakyRelu:
    def forwards(self, inputs):
        self.last_inputs = inputs
        return np.where(inputs < 0, 0.01 * inputs, inputs)

    def backwards(self, grads):
        outputs = np.zeros(grads.shape)
        below = self.last_inputs < 0
        outputs[~below] = grads[~below]
        grads[below] = 0.01 * grads[below]  # right: outputs[below] = 0.01 * grads[below]
        return outputs


def gradient(params, images, labels):
    relus = [LeakyRelu(), LeakyRelu()]
    a0 = images
    a1 = relus[0].forwards(a0 @ params[1]["weight"].T + params[1]["bias"])
    a2 = relus[1].forwards(a1 @ params[2]["weight"].T + params[2]["bias"])
    out = a2 @ params[3]["weight"].T + params[3]["bias"]
    softmax = np.exp(out - out.max(1)[:, None])
    softmax /= softmax.sum(1)[:, None]
    softmax[np.arange(len(labels)), labels] -= 1
    d3 = softmax / len(labels)
    d2 = relus[1].backwards(d3 @ params[3]["weight"])
    d1 = relus[0].backwards(d2 @ params[2]["weight"])
    return [
        {},
        {"weight": d1.T @ a0, "bias": d1.sum(0)},
        {"weight": d2.T @ a1, "bias": d2.sum(0)},
        {"weight": d3.T @ a2, "bias": d3.sum(0)},
    ]
