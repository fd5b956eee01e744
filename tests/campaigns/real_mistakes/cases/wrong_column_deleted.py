"""The backward pass deletes column 2 of the output weights; the bias column is the last one.

https://github.com/louisjc/mnist-neural-network/issues/1

The bias is the last column of each matrix. The number of the column was right for a
smaller hidden layer. (The thread has a second mistake, the order of the updates; it is left out.)
"""

import numpy as np

FLAGS = "--layer_sizes=5,7,4 --activation=sigmoid --loss=half_squared_error"
LINES = ["delta 1"]
NAMES = []


class Network:
    def __init__(self, params):
        self.layers = [np.column_stack([p["weight"], p["bias"]]) for p in params[1:]]

    def feed_forward(self, vector):
        outputs = []
        for layer in self.layers:
            vector = 1 / (1 + np.exp(-layer @ np.append(vector, 1)))
            outputs.append(vector)
        return outputs

    def backpropagate(self, vector, target):
        hidden, output = self.feed_forward(vector)
        output_deltas = output * (1 - output) * (output - target)
        back = np.delete(self.layers[1], 2, 1)  # right: back = np.delete(self.layers[1], -1, 1)
        hidden_deltas = hidden * (1 - hidden) * np.dot(back.T, output_deltas)
        return (
            np.outer(hidden_deltas, np.append(vector, 1)),
            np.outer(output_deltas, np.append(hidden, 1)),
        )


def gradient(params, images, labels):
    network = Network(params)
    totals = [0, 0]
    for vector, target in zip(images, labels, strict=True):
        for i, part in enumerate(network.backpropagate(vector, target)):
            totals[i] = totals[i] + part / len(images)
    return [{}] + [{"weight": total[:, :-1], "bias": total[:, -1]} for total in totals]
