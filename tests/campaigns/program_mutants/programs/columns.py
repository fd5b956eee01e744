import numpy as np

FLAGS = "--layer_sizes=10,6,9,3 --activation=sigmoid --loss=squared_error"


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


def gradient(params, images, labels):
    weights = [layer["weight"] for layer in params[1:]]
    biases = [layer["bias"].reshape(-1, 1) for layer in params[1:]]
    activation = images.T
    activations, zs = [activation], []
    for w, b in zip(weights, biases, strict=True):
        z = w @ activation + b
        zs.append(z)
        activation = sigmoid(z)
        activations.append(activation)
    m = images.shape[0]
    nabla_b = [np.zeros_like(b) for b in biases]
    nabla_w = [np.zeros_like(w) for w in weights]
    delta = 2 * (activations[-1] - labels.T) * sigmoid_prime(zs[-1])
    nabla_b[-1] = delta.sum(axis=1)
    nabla_w[-1] = delta @ activations[-2].T
    for k in range(2, len(params)):
        delta = (weights[-k + 1].T @ delta) * sigmoid_prime(zs[-k])
        nabla_b[-k] = delta.sum(axis=1)
        nabla_w[-k] = delta @ activations[-k - 1].T
    pairs = zip(nabla_w, nabla_b, strict=True)
    return [{}] + [{"weight": nw / m, "bias": nb / m} for nw, nb in pairs]
