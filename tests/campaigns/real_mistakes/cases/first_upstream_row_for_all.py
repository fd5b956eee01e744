"""The kernel reads the first row of the upstream gradient only and uses it for every example.

https://github.com/linkedin/Liger-Kernel/pull/1298
"""

import numpy as np

FLAGS = "--layer_sizes=7,8,4 --activation=tanh --loss=squared_error"
LINES = ["delta 2"]
NAMES = []


def element_mul(block, grad_output):
    scale = grad_output[0]  # right: scale = grad_output
    return block * scale


def gradient(params, images, labels):
    hidden = np.tanh(images @ params[1]["weight"].T + params[1]["bias"])
    output = np.tanh(hidden @ params[2]["weight"].T + params[2]["bias"])

    upstream = 2 * (output - labels) / len(images)  # [example, output]
    grad_pre = element_mul(1 - output**2, upstream)
    grad_hidden = (1 - hidden**2) * (grad_pre @ params[2]["weight"])
    return [
        {},
        {"weight": grad_hidden.T @ images, "bias": grad_hidden.sum(axis=0)},
        {"weight": grad_pre.T @ hidden, "bias": grad_pre.sum(axis=0)},
    ]
