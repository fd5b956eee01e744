import numpy as np

FLAGS = "--layer_sizes=12,8,6,4 --activation=relu --loss=cross_entropy"


def forward(params, x):
    acts = [x]
    for layer in params[1:-1]:
        acts.append(np.maximum(0, layer["weight"] @ acts[-1] + layer["bias"]))
    last = params[-1]
    return acts, last["weight"] @ acts[-1] + last["bias"]


def gradient(params, images, labels):
    grads = [{}]
    for layer in params[1:]:
        grads.append({"weight": np.zeros_like(layer["weight"]), "bias": 0.0})
    for i in range(len(images)):
        acts, scores = forward(params, images[i])
        p = np.exp(scores - np.max(scores))
        p /= np.sum(p)
        p[labels[i]] -= 1
        delta = p
        for k in range(len(params) - 1, 0, -1):
            grads[k]["weight"] += np.outer(delta, acts[k - 1])
            grads[k]["bias"] = grads[k]["bias"] + delta
            if k > 1:
                back = np.dot(params[k]["weight"].T, delta)
                back[acts[k - 1] <= 0] = 0
                delta = back
    for grad in grads[1:]:
        grad["weight"] /= len(images)
        grad["bias"] /= len(images)
    return grads
