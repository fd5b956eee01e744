"""Only the weights have derivatives; the gradients of all biases stay zero.

https://github.com/mattm/simple-neural-network/issues/5
"""

import numpy as np

FLAGS = "--layer_sizes=3,4,2 --activation=sigmoid --loss=squared_error"
LINES = ["bias 1", "bias 2"]
NAMES = ["unwritten"]


def squash(total):
    return 1 / (1 + np.exp(-total))


def gradient(params, images, labels):
    grads = [{name: np.zeros(v.shape) for name, v in layer.items()} for layer in params]
    n = len(images)
    for inputs, targets in zip(images, labels, strict=True):
        hidden = squash(params[1]["weight"] @ inputs + params[1]["bias"])
        outputs = squash(params[2]["weight"] @ hidden + params[2]["bias"])

        out_error = [2 * (o - t) * o * (1 - o) for o, t in zip(outputs, targets, strict=True)]
        hidden_error = []
        for h in range(len(hidden)):
            total = sum(out_error[o] * params[2]["weight"][o, h] for o in range(len(outputs)))
            hidden_error.append(total * hidden[h] * (1 - hidden[h]))

        for o, err in enumerate(out_error):
            for h in range(len(hidden)):
                grads[2]["weight"][o, h] += err * hidden[h] / n
            # right: grads[2]["bias"][o] += err / n
        for h, err in enumerate(hidden_error):
            for i in range(len(inputs)):
                grads[1]["weight"][h, i] += err * inputs[i] / n
            # right: grads[1]["bias"][h] += err / n
    return grads
