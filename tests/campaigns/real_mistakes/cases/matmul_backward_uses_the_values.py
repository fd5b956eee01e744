"""The backward of matmul multiplies by the values of its output instead of their gradient.

https://github.com/Shubham-cyber-prog/100-Days-Of-Web-Development-ECWoC26/pull/1412
"""

import numpy as np

FLAGS = "--layer_sizes=5,4,6,3 --activation=tanh --loss=squared_error --biases=none"
LINES = ["delta 1 | weight 1", "delta 2 | weight 2", "weight 1", "weight 2", "weight 3"]
NAMES = []


class Tensor:
    def __init__(self, data, parents=()):
        self.data, self.parents = data, parents
        self.grad = np.zeros_like(data)

    def matmul(self, other):
        out = Tensor(self.data @ other.data, (self, other))

        def backward():
            upstream = out.data  # right: upstream = out.grad
            self.grad = self.grad + upstream @ other.data.T
            other.grad = other.grad + self.data.T @ upstream

        out.backward = backward
        return out

    def tanh(self):
        out = Tensor(np.tanh(self.data), (self,))

        def backward():
            self.grad = self.grad + out.grad * (1 - out.data**2)

        out.backward = backward
        return out


def gradient(params, images, labels):
    weights = [Tensor(layer["weight"].T) for layer in params[1:]]
    tape, x = [], Tensor(images)
    for weight in weights:
        x = x.matmul(weight)
        tape.append(x)
        x = x.tanh()
        tape.append(x)
    x.grad = 2 * (x.data - labels) / len(labels)
    for node in reversed(tape):
        node.backward()
    return [{}] + [{"weight": weight.grad.T} for weight in weights]
