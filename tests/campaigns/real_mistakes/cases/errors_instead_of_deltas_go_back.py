"""The errors are backpropagated before they are multiplied by the slope of their layer.

https://github.com/makeyourownneuralnetwork/makeyourownneuralnetwork/issues/88
"""

import numpy as np

FLAGS = "--layer_sizes=6,5,7,4 --activation=sigmoid --loss=squared_error --biases=none"
LINES = ["delta 1", "delta 2"]
NAMES = []


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def gradient(params, images, labels):
    wih, whh, who = (layer["weight"] for layer in params[1:])
    inputs, targets = images.T, labels.T

    first_outputs = sigmoid(np.dot(wih, inputs))
    second_outputs = sigmoid(np.dot(whh, first_outputs))
    final_outputs = sigmoid(np.dot(who, second_outputs))

    errors = 2.0 * (final_outputs - targets) / inputs.shape[1]
    output_terms = errors * final_outputs * (1.0 - final_outputs)
    errors = np.dot(who.T, errors)  # right: errors = np.dot(who.T, output_terms)
    second_terms = errors * second_outputs * (1.0 - second_outputs)
    errors = np.dot(whh.T, errors)  # right: errors = np.dot(whh.T, second_terms)
    first_terms = errors * first_outputs * (1.0 - first_outputs)

    return [
        {},
        {"weight": np.dot(first_terms, inputs.T)},
        {"weight": np.dot(second_terms, first_outputs.T)},
        {"weight": np.dot(output_terms, second_outputs.T)},
    ]
