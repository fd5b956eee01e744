"""In the forward pass, the first bias of a layer is added to every unit of that layer.

https://github.com/glouw/tinn/issues/29
"""

import numpy as np

FLAGS = "--layer_sizes=3,8,4 --activation=sigmoid --loss=half_squared_error --reduction=sum"
LINES = ["forward 1", "forward 2"]
NAMES = []


def act(a):
    return 1.0 / (1.0 + np.exp(-a))


def pdact(a):
    return a * (1.0 - a)


def fprop(inputs, weights, biases):
    outputs = np.zeros((len(inputs), len(weights)))
    for n, values in enumerate(inputs):
        for i, row in enumerate(weights):
            total = 0.0
            for j in range(len(row)):
                total += values[j] * row[j]
            outputs[n, i] = act(total + biases[0])  # right: outputs[n, i] = act(total + biases[i])
    return outputs


def gradient(params, images, labels):
    h = fprop(images, params[1]["weight"], params[1]["bias"])
    o = fprop(h, params[2]["weight"], params[2]["bias"])
    delta_o = (o - labels) * pdact(o)
    delta_h = delta_o @ params[2]["weight"] * pdact(h)
    return [
        {},
        {"weight": delta_h.T @ images, "bias": delta_h.sum(axis=0)},
        {"weight": delta_o.T @ h, "bias": delta_o.sum(axis=0)},
    ]
