"""Each output neuron is adjusted in the loop, and the hidden deltas use the adjusted neurons.

https://github.com/joelgrus/data-science-from-scratch/issues/31

The examples are independent here: each begins from the given parameters.
"""

import copy

import numpy as np

FLAGS = "--layer_sizes=3,4,5 --activation=sigmoid --loss=squared_error"
LINES = ["delta 1"]
NAMES = []


def neuron_output(weights, inputs):
    return 1 / (1 + np.exp(-np.dot(weights, inputs)))


def backpropagate(network, input_vector, targets):
    hidden = [neuron_output(neuron, [*input_vector, 1]) for neuron in network[0]]
    outputs = [neuron_output(neuron, [*hidden, 1]) for neuron in network[1]]
    output_deltas = [2 * o * (1 - o) * (o - t) for o, t in zip(outputs, targets, strict=True)]

    before = copy.deepcopy(network[1])
    steps = np.zeros(network[1].shape)
    for i, output_neuron in enumerate(network[1]):
        for j, hidden_output in enumerate([*hidden, 1]):
            steps[i, j] = output_deltas[i] * hidden_output
            output_neuron[j] -= steps[i, j]  # right: pass

    hidden_deltas = [
        h * (1 - h) * np.dot(output_deltas, [neuron[i] for neuron in network[1]])
        for i, h in enumerate(hidden)
    ]
    network[1][:] = before
    return np.outer(hidden_deltas, [*input_vector, 1]), steps


def gradient(params, images, labels):
    network = [np.column_stack([p["weight"], p["bias"]]) for p in params[1:]]
    parts = [backpropagate(network, x, y) for x, y in zip(images, labels, strict=True)]
    means = [np.mean(part, axis=0) for part in zip(*parts, strict=True)]
    return [{}] + [{"weight": mean[:, :-1], "bias": mean[:, -1]} for mean in means]
