"""The gradient of the penalty lacks the factor 2 of the square's derivative.

https://github.com/jingtinghuang/CS231n-Spring-2017/issues/3
"""

import numpy as np

FLAGS = "--layer_sizes=6,7,5 --activation=relu --loss=cross_entropy --l2=0.1 --layout=numpy"
LINES = ["weight 1", "weight 2"]
NAMES = ["regulariser"]

reg = 0.05  # the loss contains reg * np.sum(W * W)


def gradient(params, X, y):
    W1, b1, W2, b2 = params
    N = X.shape[0]
    h1 = np.maximum(X.dot(W1) + b1, 0)
    scores = h1.dot(W2) + b2
    scores -= scores.max(axis=1, keepdims=True)
    dscores = np.exp(scores)
    dscores /= dscores.sum(axis=1, keepdims=True)
    dscores[range(N), y] -= 1
    dscores /= N

    dW2 = h1.T.dot(dscores)
    dW2 += reg * W2  # right: dW2 += 2 * reg * W2
    dh1 = dscores.dot(W2.T)
    dh1[h1 <= 0] = 0
    dW1 = X.T.dot(dh1)
    dW1 += reg * W1  # right: dW1 += 2 * reg * W1
    return [dW1, dh1.sum(axis=0), dW2, dscores.sum(axis=0)]
