"""The gradient of the data term is a sum where the cost is a mean; the penalty is right.

https://github.com/stephencwelch/Neural-Networks-Demystified/issues/15
"""

import numpy as np

FLAGS = "--layer_sizes=2,3,1 --activation=sigmoid --loss=half_squared_error --biases=none --l2=0.1"
LINES = ["weight 1 | batch", "weight 2 | batch"]
NAMES = ["sum-not-mean"]


class TwoLayers:
    def __init__(self, V1, V2, lam):
        self.V1, self.V2, self.lam = V1, V2, lam

    def forward(self, X):
        self.mid = self.sigmoid(X @ self.V1)
        self.guess = self.sigmoid(self.mid @ self.V2)

    @staticmethod
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def slopes(self, X, y):
        self.forward(X)
        top = (self.guess - y) * self.guess * (1 - self.guess)
        s2 = self.mid.T @ top  # right: s2 = self.mid.T @ top / len(X)
        low = top @ self.V2.T * self.mid * (1 - self.mid)
        s1 = X.T @ low  # right: s1 = X.T @ low / len(X)
        return s1 + self.lam * self.V1, s2 + self.lam * self.V2


def gradient(params, images, labels):
    network = TwoLayers(params[1]["weight"].T, params[2]["weight"].T, 0.1)
    dW1, dW2 = network.slopes(images, labels)
    return [{}, {"weight": dW1.T}, {"weight": dW2.T}]
