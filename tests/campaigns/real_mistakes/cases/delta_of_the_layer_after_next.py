"""The masked gradient of layer 2 is taken from A3, one layer too high, instead of from A2.

https://github.com/ImagineAILab/ai-by-hand-excel/issues/9

The two layers are equally wide, so the shapes fit.
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,4,4,3 --activation=relu --loss=cross_entropy"
LINES = ["delta 2"]
NAMES = []


def gradient(params, images, labels):
    W = {k: params[k]["weight"] for k in range(1, 5)}
    A, Z = {0: images.T}, {}
    for k in range(1, 5):
        Z[k] = W[k] @ A[k - 1] + params[k]["bias"][:, None]
        A[k] = np.maximum(Z[k], 0)

    P = np.exp(Z[4] - Z[4].max(axis=0))
    P /= P.sum(axis=0)
    P[labels, np.arange(len(labels))] -= 1

    dA, dZ = {}, {4: P / len(labels)}
    dA[3] = W[4].T @ dZ[4]
    dZ[3] = np.where(Z[3] > 0, dA[3], 0)
    dA[2] = W[3].T @ dZ[3]
    dZ[2] = np.where(Z[2] > 0, dA[3], 0)  # right: dZ[2] = np.where(Z[2] > 0, dA[2], 0)
    dA[1] = W[2].T @ dZ[2]
    dZ[1] = np.where(Z[1] > 0, dA[1], 0)
    return [{}] + [{"weight": dZ[k] @ A[k - 1].T, "bias": dZ[k].sum(axis=1)} for k in range(1, 5)]
