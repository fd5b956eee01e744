"""The hidden delta takes tanh's slope at z2, the scores of the output layer, instead of at z1.

https://github.com/dennybritz/nn-from-scratch/pull/3

The mistake is in a written formula. The shapes fit only because both layers are equally wide here.
"""

import numpy as np

FLAGS = "--layer_sizes=5,4,4 --activation=tanh --loss=cross_entropy"
LINES = ["delta 1"]
NAMES = []


def gradient(params, X, y):
    W1, b1 = params[1]["weight"].T, params[1]["bias"]
    W2, b2 = params[2]["weight"].T, params[2]["bias"]
    num_examples = len(X)
    # forward propagation
    z1 = X.dot(W1) + b1
    a1 = np.tanh(z1)
    z2 = a1.dot(W2) + b2
    exp_scores = np.exp(z2)
    delta3 = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
    # backpropagation
    delta3[range(num_examples), y] -= 1
    delta3 = delta3 / num_examples
    slope = 1 - np.power(np.tanh(z2), 2)  # right: slope = 1 - np.power(np.tanh(z1), 2)
    delta2 = delta3.dot(W2.T) * slope
    dW2, db2 = a1.T.dot(delta3), np.sum(delta3, axis=0)
    dW1, db1 = X.T.dot(delta2), np.sum(delta2, axis=0)
    return [{}, {"weight": dW1.T, "bias": db1}, {"weight": dW2.T, "bias": db2}]
