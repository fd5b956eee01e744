"""The backward pass starts with the squared error itself instead of its derivative.

https://github.com/makeyourownneuralnetwork/makeyourownneuralnetwork/issues/43
"""

import numpy as np

FLAGS = "--layer_sizes=5,8,3 --activation=sigmoid --biases=none --loss=squared_error"
LINES = ["delta 2"]
NAMES = []


class neuralNetwork:  # noqa: N801
    def __init__(self, wih, who):
        self.wih, self.who = wih, who

    def activation_function(self, x):
        return 1.0 / (1.0 + np.exp(-x))

    def gradients(self, inputs_list, targets_list):
        inputs = np.array(inputs_list, ndmin=2).T
        targets = np.array(targets_list, ndmin=2).T
        hidden_outputs = self.activation_function(np.dot(self.wih, inputs))
        final_outputs = self.activation_function(np.dot(self.who, hidden_outputs))

        e = targets - final_outputs
        output_errors = e**2  # right: output_errors = -2 * e
        output_errors = output_errors * final_outputs * (1.0 - final_outputs)
        hidden_errors = np.dot(self.who.T, output_errors) * hidden_outputs * (1.0 - hidden_outputs)
        return np.dot(hidden_errors, inputs.T), np.dot(output_errors, hidden_outputs.T)


def gradient(params, images, labels):
    n = neuralNetwork(params[1]["weight"], params[2]["weight"])
    total = [np.zeros_like(n.wih), np.zeros_like(n.who)]
    for record, target in zip(images, labels, strict=True):
        for t, g in zip(total, n.gradients(record, target), strict=True):
            t += g / len(images)
    return [{}, {"weight": total[0]}, {"weight": total[1]}]
