"""Relu.backward multiplies by the input where it is positive, instead of by 1.

https://github.com/denggaoshan/DeepLearningStudy/issues/1
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,7,3 --activation=relu --loss=squared_error --output=linear"
LINES = ["delta 1", "delta 2"]
NAMES = ["slope-of-other"]


class LinearLayer:
    def __init__(self, weight, bias):
        self.W, self.b = weight.T, bias

    def forward(self, X):
        return np.matmul(X, self.W) + self.b

    def backward(self, X, grad):
        self.grad_W = np.matmul(X.T, grad)
        self.grad_b = np.matmul(grad.T, np.ones(X.shape[0]))
        return np.matmul(grad, self.W.T)


class Relu:
    def forward(self, X):
        return np.where(X < 0, 0, X)

    def backward(self, X, grad):
        return np.where(X > 0, X, 0) * grad  # right: return np.where(X > 0, 1, 0) * grad


def gradient(params, images, labels):
    linear = [LinearLayer(p["weight"], p["bias"]) for p in params[1:]]
    net = [linear[0], Relu(), linear[1], Relu(), linear[2]]
    inputs = [images]
    for layer in net:
        inputs.append(layer.forward(inputs[-1]))
    grad = 2 * (inputs.pop() - labels) / len(images)
    for layer in reversed(net):
        grad = layer.backward(inputs.pop(), grad)
    return [{}] + [{"weight": layer.grad_W.T, "bias": layer.grad_b} for layer in linear]
