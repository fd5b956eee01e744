"""The tanh is undone before it is squared: the slope becomes 1 - z².

https://github.com/lazyprogrammer/facial-expression-recognition/issues/2

The author of the issue believes that this corrects code which was right.
"""

import numpy as np

FLAGS = "--layer_sizes=5,6,3 --activation=tanh --loss=cross_entropy"
LINES = ["delta 1"]
NAMES = ["slope-of-other"]


class ANN:
    def __init__(self, params):
        self.W1, self.b1 = params[1]["weight"].T, params[1]["bias"]
        self.W2, self.b2 = params[2]["weight"].T, params[2]["bias"]

    def forward(self, X):
        Z = np.tanh(X.dot(self.W1) + self.b1)
        expA = np.exp(Z.dot(self.W2) + self.b2)
        return expA / expA.sum(axis=1, keepdims=True), Z

    def derivatives(self, X, T):
        pY, Z = self.forward(X)
        pY_T = (pY - T) / len(X)
        A = np.arctanh(Z)
        dZ = pY_T.dot(self.W2.T) * (1 - A * A)  # right: dZ = pY_T.dot(self.W2.T) * (1 - Z * Z)
        return X.T.dot(dZ), dZ.sum(axis=0), Z.T.dot(pY_T), pY_T.sum(axis=0)


def gradient(params, images, labels):
    indicator = np.zeros((len(labels), 3))
    indicator[np.arange(len(labels)), labels] = 1
    gW1, gb1, gW2, gb2 = ANN(params).derivatives(images, indicator)
    return [{}, {"weight": gW1.T, "bias": gb1}, {"weight": gW2.T, "bias": gb2}]
