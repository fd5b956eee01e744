"""The bias was broadcast over the batch, and its gradient still has the batch's shape.

https://github.com/jimfleming/differentiation/issues/1
"""

import numpy as np

FLAGS = "--layer_sizes=4,4,4 --activation=sigmoid --loss=squared_error"
LINES = ["bias 1 | structure", "bias 2 | structure"]
NAMES = []


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Add:
    def __init__(self, a, b):
        self.out = a + b

    def backward(self, grad):
        return grad, grad  # right: return grad, grad.sum(axis=0)


class MatMul:
    def __init__(self, a, b):
        self.a, self.b, self.out = a, b, a @ b

    def backward(self, grad):
        return grad @ self.b.T, self.a.T @ grad


def gradient(params, images, labels):
    value, tape = images, []
    for layer in params[1:]:
        product = MatMul(value, layer["weight"].T)
        total = Add(product.out, layer["bias"])
        value = sigmoid(total.out)
        tape.append((product, total, value))

    grads = []
    upstream = 2 * (value - labels) / len(images)
    for product, total, out in reversed(tape):
        d_product, d_bias = total.backward(upstream * out * (1 - out))
        upstream, d_weight = product.backward(d_product)
        grads.insert(0, {"weight": d_weight.T, "bias": d_bias})
    return [{}, *grads]
