"""relu's backward zeroes what is negative in the gradient, not what was negative in its input.

https://github.com/exacity/deeplearningbook-chinese/issues/127
"""

import numpy as np

FLAGS = "--layer_sizes=6,7,5,3 --activation=relu --loss=cross_entropy"
LINES = ["delta 1", "delta 2"]
NAMES = []


class Graph:
    """U1 = X W1, H1 = relu(U1), U2 = H1 W2, H2 = relu(U2), U3 = H2 W3, as in the book's figure."""

    def __init__(self, params):
        self.W = [layer["weight"].T for layer in params[1:]]
        self.b = [layer["bias"] for layer in params[1:]]

    def forward(self, X):
        self.H, self.U = [X], []
        for W, b in zip(self.W, self.b, strict=True):
            self.U.append(self.H[-1] @ W + b)
            self.H.append(np.maximum(self.U[-1], 0))

    def relu_backward(self, G, U):
        G[G < 0] = 0  # right: G[U < 0] = 0
        return G

    def backward(self, G):
        grads = []
        for i in (2, 1, 0):
            if i < 2:
                G = self.relu_backward(G, self.U[i])
            grads.insert(0, {"weight": (self.H[i].T @ G).T, "bias": G.sum(axis=0)})
            G = G @ self.W[i].T
        return grads


def gradient(params, images, labels):
    graph = Graph(params)
    graph.forward(images)
    probabilities = np.exp(graph.U[-1] - np.max(graph.U[-1], axis=1, keepdims=True))
    probabilities /= np.sum(probabilities, axis=1, keepdims=True)
    G = (probabilities - np.identity(3)[labels]) / images.shape[0]
    return [{}, *graph.backward(G)]
