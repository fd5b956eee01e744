"""A copied line: the second layer's bias gradient uses the δ of the first layer.

https://github.com/hanbt/learn_dl/pull/63
"""

import numpy as np

FLAGS = "--layer_sizes=7,5,5,4 --activation=sigmoid --loss=cross_entropy"
LINES = ["bias 2"]
NAMES = []


class Net:
    def __init__(self, params):
        self.p = params

    def run(self, x):
        p = self.p
        self.x = x
        self.s1 = 1 / (1 + np.exp(-(x @ p[1]["weight"].T + p[1]["bias"])))
        self.s2 = 1 / (1 + np.exp(-(self.s1 @ p[2]["weight"].T + p[2]["bias"])))
        z = self.s2 @ p[3]["weight"].T + p[3]["bias"]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        self.prob = e / e.sum(axis=1, keepdims=True)

    def deltas(self, labels):
        self.d3 = self.prob.copy()
        self.d3[np.arange(len(labels)), labels] -= 1
        self.d3 /= len(labels)
        self.d2 = (self.d3 @ self.p[3]["weight"]) * self.s2 * (1 - self.s2)
        self.d1 = (self.d2 @ self.p[2]["weight"]) * self.s1 * (1 - self.s1)


def gradient(params, images, labels):
    net = Net(params)
    net.run(images)
    net.deltas(labels)
    w1_grad, w2_grad, w3_grad = net.d1.T @ images, net.d2.T @ net.s1, net.d3.T @ net.s2
    b1_grad = net.d1.sum(axis=0)
    b2_grad = net.d1.sum(axis=0)  # right: b2_grad = net.d2.sum(axis=0)
    b3_grad = net.d3.sum(axis=0)
    pairs = ((w1_grad, b1_grad), (w2_grad, b2_grad), (w3_grad, b3_grad))
    return [{}] + [{"weight": w, "bias": b} for w, b in pairs]
