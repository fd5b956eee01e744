"""The bias gradient is squeezed, so with a single output it becomes a number without an axis.

https://github.com/pytorch/pytorch/issues/28583
"""

import numpy as np

FLAGS = "--layer_sizes=5,4,1 --activation=tanh --loss=squared_error"
LINES = ["bias 2 | structure"]
NAMES = []


class LinearFunction:
    def forward(self, x, weight, bias):
        self.saved = x, weight
        return x @ weight.T + bias

    def backward(self, grad_output):
        x, weight = self.saved
        grad_bias = grad_output.sum(axis=0).squeeze()  # right: grad_bias = grad_output.sum(axis=0)
        return grad_output @ weight, {"weight": grad_output.T @ x, "bias": grad_bias}


def gradient(params, images, labels):
    functions, values = [], [images]
    for p in params[1:]:
        functions.append(LinearFunction())
        values.append(np.tanh(functions[-1].forward(values[-1], p["weight"], p["bias"])))

    grads = []
    grad = 2 * (values[-1] - labels) / len(labels)
    for function, value in zip(functions[::-1], values[:0:-1], strict=True):
        grad, of_layer = function.backward(grad * (1 - value**2))
        grads = [of_layer, *grads]
    return [{}, *grads]
