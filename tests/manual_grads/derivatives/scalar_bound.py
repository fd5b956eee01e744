"""The formulas of the rounding bound, computed with numbers in plain Python."""

import math

import numpy as np


def cumulative(z):
    """Φ(z), the normal distribution."""
    return math.erfc(-z / math.sqrt(2)) / 2


def density(z):
    """φ(z) = Φ'(z), the density of the normal distribution."""
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


FUNCTIONS = {
    "sigmoid": (lambda z: 1 / (1 + math.exp(-z)), lambda a, z, s: a * (1 - a)),
    "tanh": (math.tanh, lambda a, z, s: 1 - a * a),
    "relu": (lambda z: max(z, 0.0), lambda a, z, s: float(z > 0)),
    "leaky_relu": (None, lambda a, z, s: 1.0 if z > 0 else s),
    "gelu": (lambda z: z * cumulative(z), lambda a, z, s: cumulative(z) + z * density(z)),
}


def nearest_bfloat16(x):
    """`x` rounded to 8 significant bits, to the even of two numbers that are equally near."""
    mantissa, exponent = math.frexp(x)
    return math.ldexp(round(mantissa * 2**8), exponent - 8)


def scalar_bound(network, point, u, eta, factors):
    """The formulas in the docstring of `rounding_bound`, computed with numbers in plain Python.

    For each example, a layer is a list with the `(a, f'(z), E_a, E_f', E_z)` of each unit.
    """
    sizes, s, examples = network.layer_sizes, network.negative_slope, len(point.images)
    f, slope = FUNCTIONS[network.activation]
    if network.activation == "leaky_relu":
        f = lambda z: z if z > 0 else s * z  # noqa: E731 - FUNCTIONS has no access to s
    elif network.activation == "relu":
        s = 0.0

    def gamma(n):
        return n * u / (1 - n * u)

    def factor(x, error):
        """A factor of a product and its error; without `factors`, nothing is rounded."""
        if factors is None:
            return x, error
        middle, error = nearest_bfloat16(x), error + 2 * u * abs(x) if error != 0 else 0
        ends = nearest_bfloat16(x - error), nearest_bfloat16(x + error)
        return middle, max(ends[1] - middle, middle - ends[0])

    rounded = np.vectorize(lambda w: factor(float(w), 0)[0])
    weights = [None, *(rounded(leaves["weight"]) for leaves in point.params[1:])]

    def errors(layer, z, e_z):
        active = (
            (network.input_layer == "active")
            if layer == 0
            else (layer < network.depth or network.loss == "squared_error")
        )
        if not active:
            return z, 1.0, e_z, 0.0
        a = f(z)
        at = slope(a, z, s)
        if network.activation == "sigmoid":
            e_a = abs(at) * e_z + 0.05 * e_z**2 + 5 * u * abs(a) + eta
            return a, at, e_a, abs(1 - 2 * a) * e_a + e_a**2 + 4 * u * abs(a) + eta
        if network.activation == "tanh":
            e_a = abs(at) * e_z + 0.39 * e_z**2 + 5 * u * abs(a) + eta
            return a, at, e_a, 2 * abs(a) * e_a + e_a**2 + 2 * u + eta
        if network.activation == "gelu":
            size, phi = abs(z), density(z)
            e_a = abs(at) * e_z + 0.4 * e_z**2 + 5 * u * (abs(a) + z * z * phi) + (1 + size) * eta
            terms = cumulative(z) + (size + size**3) * phi
            return a, at, e_a, 0.8 * e_z + 5 * u * terms + (1 + size) * eta
        e_a = max(1.0, abs(s)) * e_z + eta
        if network.activation == "leaky_relu":
            e_a += 2 * u * abs(a)
        near_kink = abs(z) <= e_z and (z != 0 or e_z > eta / u**2)
        return a, at, e_a, u * abs(s) + abs(1 - s) * near_kink + eta

    total = [
        {name: np.zeros(np.shape(leaf)) for name, leaf in leaves.items()} for leaves in point.params
    ]
    batch = (part.astype(float) for part in (point.images, point.targets, point.weights))
    for x, y, weight in zip(*batch, strict=True):
        layers = []
        for layer, units in enumerate(sizes):
            bias = point.params[layer].get("bias")
            row = []
            for j in range(units):
                b = 0.0 if bias is None else float(bias[j])
                if layer == 0:
                    z = x[j] + b
                    e_z = 0.0 if bias is None else u * abs(z) + eta
                else:
                    w, n = weights[layer][j], sizes[layer - 1]
                    below = [factor(unit[0], unit[2]) for unit in layers[-1]]
                    z = sum(w[k] * below[k][0] for k in range(n)) + b
                    e_z = sum(abs(w[k]) * below[k][1] for k in range(n)) + n * eta
                    e_z += gamma(n + 1) * (sum(abs(w[k] * below[k][0]) for k in range(n)) + abs(b))
                row.append((*errors(layer, z, e_z), e_z))
            layers.append(row)
        delta, e_delta = output_layer(network, layers[-1], y, weight, u, eta)
        for layer in reversed(range(len(sizes))):
            if layer < network.depth:
                w, m = weights[layer + 1], sizes[layer + 1]
                d, e = zip(*map(factor, delta, e_delta), strict=True)
                new_delta, new_error = [], []
                for k in range(sizes[layer]):
                    _, at, _, e_at, _ = layers[layer][k]
                    down = sum(w[j, k] * d[j] for j in range(m))
                    error = sum(abs(w[j, k]) * (e[j] + gamma(m) * abs(d[j])) for j in range(m))
                    error = (error + m * eta) * (abs(at) + e_at)
                    new_delta.append(down * at)
                    new_error.append(error + abs(down) * (e_at + u * abs(at)) + eta)
                delta, e_delta = new_delta, new_error
            for j in range(sizes[layer]):
                if "bias" in total[layer]:
                    rounding = gamma(examples) * abs(delta[j])
                    total[layer]["bias"][j] += e_delta[j] + rounding + eta
                d, e = factor(delta[j], e_delta[j])
                for k in range(sizes[layer - 1] if layer > 0 else 0):
                    a, e_a = factor(layers[layer - 1][k][0], layers[layer - 1][k][2])
                    term = e * abs(a) + abs(d) * e_a + e * e_a
                    total[layer]["weight"][j, k] += term + gamma(examples) * abs(d) * abs(a) + eta
    return total


def output_layer(network, row, y, weight, u, eta):
    """δ^L and E_δL of one example, as lists over the outputs."""
    outputs = [a for a, *_ in row]
    if network.loss == "cross_entropy":
        exponentials = [math.exp(a - max(outputs)) for a in outputs]
        p = [e / sum(exponentials) * sum(y) for e in exponentials]
        growth = math.expm1(2 * max(e_z for *_, e_z in row) + (2 * len(y) + 6) * u)
        pairs = list(zip(p, y, strict=True))
        delta = [(pk - yk) * weight for pk, yk in pairs]
        errors = [pk * growth + 3 * u * abs(pk - yk) + u * abs(yk) for pk, yk in pairs]
    else:
        delta = [-2 * (yk - a) * at * weight for (a, at, *_), yk in zip(row, y, strict=True)]
        errors = []
        for (a, at, e_a, e_at, _), yk in zip(row, y, strict=True):
            distance = abs(a - yk)
            error = (e_a + u * distance) * (abs(at) + e_at) + distance * e_at
            errors.append(2 * (error + 4 * u * distance * abs(at)))
    return delta, [error * weight + eta for error in errors]
