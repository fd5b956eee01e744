"""The gradient of a batch is divided by the size of the training set, not of the batch.

https://github.com/lipiji/rnn-theano/pull/3
"""

import numpy as np
from scipy.special import erf

FLAGS = "--layer_sizes=6,10,7 --activation=gelu --loss=cross_entropy --biases=hidden"
LINES = ["batch"]
NAMES = ["nominal-batch"]

NUM_TRAIN = 60000


def gelu(z):
    return z * 0.5 * (1 + erf(z / np.sqrt(2)))


def gelu_grad(z):
    return 0.5 * (1 + erf(z / np.sqrt(2))) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


def gradient(params, images, labels):
    w1, b1, w2 = params[1]["weight"], params[1]["bias"], params[2]["weight"]
    z1 = images @ w1.T + b1
    a1 = gelu(z1)
    scores = a1 @ w2.T
    prob = np.exp(scores - scores.max(axis=1, keepdims=True))
    prob /= prob.sum(axis=1, keepdims=True)
    prob[np.arange(len(labels)), labels] -= 1

    batch_error = prob / NUM_TRAIN  # right: batch_error = prob / len(labels)
    dz1 = batch_error @ w2 * gelu_grad(z1)
    return [{}, {"weight": dz1.T @ images, "bias": dz1.sum(0)}, {"weight": batch_error.T @ a1}]
