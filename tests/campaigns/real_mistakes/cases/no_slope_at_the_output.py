"""The output error is passed on as it is, without the slope of the output's sigmoid.

https://github.com/jiexunsee/Neural-Network-with-Python/issues/1
"""

import numpy as np

FLAGS = "--layer_sizes=3,5,4,2 --activation=sigmoid --biases=none --loss=half_squared_error"
LINES = ["delta 3"]
NAMES = ["slope-missing", "other-loss"]


class NeuralNetwork:
    def __init__(self, w2, w3, w4):
        self.w2, self.w3, self.w4 = w2.T, w3.T, w4.T

    @staticmethod
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    @staticmethod
    def slope(a):
        return a * (1 - a)

    def derivatives(self, inputs, targets):
        a2 = self.sigmoid(inputs @ self.w2)
        a3 = self.sigmoid(a2 @ self.w3)
        output = self.sigmoid(a3 @ self.w4)

        error = (output - targets) / len(inputs)
        del4 = error  # right: del4 = error * self.slope(output)
        del3 = (del4 @ self.w4.T) * self.slope(a3)
        del2 = (del3 @ self.w3.T) * self.slope(a2)
        return del2.T @ inputs, del3.T @ a2, del4.T @ a3


def gradient(params, images, labels):
    network = NeuralNetwork(*(layer["weight"] for layer in params[1:]))
    return [{}, *({"weight": dw} for dw in network.derivatives(images, labels))]
