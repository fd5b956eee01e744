"""The sums are added onto the outputs of the example before; the array is never set to zero.

https://stats.stackexchange.com/questions/415679/faulty-backpropagation-of-hidden-layers-c
"""

import numpy as np

FLAGS = "--layer_sizes=4,5,2 --activation=sigmoid --loss=squared_error"
LINES = ["forward 1 | state | batch", "forward 2 | state | batch"]
NAMES = []


class FeedForwardLayer:
    def __init__(self, weight, bias):
        self.weight = np.vstack([weight.T, bias])
        self.outputs = np.zeros(len(bias))

    def compute_output(self, inputs):
        self.inputs = np.append(inputs, 1)
        # right: self.outputs[:] = 0
        for n in range(len(self.weight)):
            for j in range(len(self.outputs)):
                self.outputs[j] += self.inputs[n] * self.weight[n, j]
        self.outputs[:] = 1 / (1 + np.exp(-self.outputs))
        return self.outputs

    def back(self, error):
        gamma = error * self.outputs * (1 - self.outputs)
        return np.outer(self.inputs, gamma), self.weight[:-1] @ gamma


def gradient(params, images, labels):
    first, second = (FeedForwardLayer(p["weight"], p["bias"]) for p in params[1:])
    total1, total2 = np.zeros_like(first.weight), np.zeros_like(second.weight)
    for x, y in zip(images, labels, strict=True):
        out = second.compute_output(first.compute_output(x))
        step2, error = second.back(2 * (out - y) / len(images))
        step1, _ = first.back(error)
        total1 += step1
        total2 += step2
    return [{}] + [{"weight": total[:-1].T, "bias": total[-1]} for total in (total1, total2)]
