import numpy as np

FLAGS = "--layer_sizes=9,11,3 --activation=leaky_relu --negative_slope=0.1 --loss=squared_error"


class Linear:
    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias

    def forward(self, x):
        self.x = x
        return np.matmul(x, self.weight.T) + self.bias

    def backward(self, grad):
        self.weight_grad = np.matmul(grad.T, self.x)
        self.bias_grad = grad.sum(0)
        return np.matmul(grad, self.weight)


class LeakyReLU:
    def forward(self, z):
        self.z = z
        return np.where(z > 0, z, 0.1 * z)

    def backward(self, grad):
        slope = np.where(self.z > 0, 1.0, 0.1)
        return grad * slope


def gradient(params, images, labels):
    linear = [Linear(params[i]["weight"], params[i]["bias"]) for i in (1, 2)]
    layers = [linear[0], LeakyReLU(), linear[1], LeakyReLU()]
    out = images
    for layer in layers:
        out = layer.forward(out)
    grad = 2 * (out - labels) / labels.shape[0]
    for layer in layers[::-1]:
        grad = layer.backward(grad)
    return [{}] + [{"weight": each.weight_grad, "bias": each.bias_grad} for each in linear]
