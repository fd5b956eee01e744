"""The output error is multiplied by the output itself instead of the slope there.

https://stackoverflow.com/questions/75378819/issues-with-calculating-new-weights-in-a-neural-network
"""

import numpy as np

FLAGS = "--layer_sizes=6,7,5,3 --activation=sigmoid --loss=squared_error"
LINES = ["delta 3"]
NAMES = ["slope-of-other"]


class Layer:
    def __init__(self, parameters):
        self.w = parameters["weight"]
        self.b = parameters["bias"].reshape(-1, 1)

    def calc_output(self, inputs):
        self.inputs = inputs
        self.fin_outputs = 1 / (1 + np.exp(-(np.matmul(self.w, inputs) + self.b)))
        return self.fin_outputs

    def weights_and_bias(self, change, n):
        weight = np.matmul(change, np.transpose(self.inputs)) / n
        return {"weight": weight, "bias": change.sum(axis=1) / n}


def gradient(params, images, labels):
    first, second, last = (Layer(p) for p in params[1:])
    out = last.calc_output(second.calc_output(first.calc_output(images.T)))
    n = len(images)

    delta = 2 * (out - labels.T)
    change3 = np.multiply(delta, out)  # right: change3 = np.multiply(delta, out * (1 - out))
    h2, h1 = second.fin_outputs, first.fin_outputs
    change2 = np.matmul(last.w.T, change3) * h2 * (1 - h2)
    change1 = np.matmul(second.w.T, change2) * h1 * (1 - h1)
    return [
        {},
        first.weights_and_bias(change1, n),
        second.weights_and_bias(change2, n),
        last.weights_and_bias(change3, n),
    ]
