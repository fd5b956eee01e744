"""What can be wrong in a line of the forward pass, z^l = W^l a^{l−1} + b^l and a^l = f(z^l)."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from manual_grads.check.diagnosis.scene import (
    FUNCTIONS,
    Array,
    Scene,
    Step,
    is_active,
    normal_distribution,
    plain_step,
    sigmoid,
    softmax,
    weighted_input,
)
from manual_grads.check.diagnosis.problem import Problem


class ForwardChange(NamedTuple):
    """A wrong forward line in some layers: its text, what is right, and its computation."""

    text: str
    words: str
    layers: tuple[int, ...]
    step: Step
    gains: Mapping[int, Array] = MappingProxyType({})


def forward_changes(problem: Problem, scene: Scene) -> Iterator[ForwardChange]:
    """Every change, in each layer alone and, where there are several, in all hidden layers."""
    depth = problem.network.depth
    hidden = tuple(range(1, depth))
    groups = [(layer,) for layer in range(depth + 1)]
    if len(hidden) > 1:
        groups.append(hidden)
    if depth > 1:
        groups.append(tuple(range(1, depth + 1)))
    for layers in groups:
        for text, words, step in _steps(problem, scene, layers):
            yield ForwardChange(text, words, layers, step)


def _steps(
    problem: Problem, scene: Scene, layers: tuple[int, ...]
) -> Iterator[tuple[str, str, Step]]:
    network = problem.network
    s = network.negative_slope
    f = FUNCTIONS[network.activation][0]
    plain = plain_step(problem)
    first = layers[0]
    active = all(is_active(problem, layer) for layer in layers)
    biased = all(scene.has(layer, "bias") for layer in layers)
    shapes = [scene.draws[0][layer].get("weight", np.zeros((0, 0))).shape for layer in layers]
    square = first > 0 and all(shape[0] == shape[1] for shape in shapes)

    def finished(problem, layer, z):
        return z, f(z, s) if is_active(problem, layer) else z

    def with_bias(change: Callable[[Array], Array]) -> Step:
        def step(params, layer, below, x):
            bias = {"bias": change(params[layer]["bias"])}
            return plain(
                [{**p, **(bias if n == layer else {})} for n, p in enumerate(params)],
                layer,
                below,
                x,
            )

        return step

    if biased:
        yield (
            "W{l} a{m}",
            "the bias is left out of the forward pass; add it",
            with_bias(lambda bias: 0 * bias),
        )
        words = "the bias is subtracted; add it"
        yield "W{l} a{m} − b{l}", words, with_bias(lambda bias: -bias)

        def multiplied(params, layer, below, x):
            z = params[layer]["weight"] @ below if layer else below
            return finished(problem, layer, z * params[layer]["bias"][:, None])

        yield "(W{l} a{m}) ⊙ b{l}", "the bias is multiplied; add it", multiplied
        words = "the bias is added twice; add it once"
        yield "W{l} a{m} + 2 b{l}", words, with_bias(lambda bias: 2 * bias)
        words = "every unit has the first unit's bias"
        yield "W{l} a{m} + b{l}₀", words, with_bias(lambda bias: bias[0] + 0 * bias)
        for other in range(1, network.depth + 1):
            if len(layers) == 1 and other != first and _same_bias(scene, first, other):

                def borrowed(params, layer, below, x, other=other):
                    given = [dict(leaves) for leaves in params]
                    given[layer]["bias"] = params[other]["bias"]
                    return plain(given, layer, below, x)

                yield f"W{{l}} a{{m}} + b^{other}", f"the bias is that of layer {other}", borrowed
    if square and biased:

        def before(params, layer, below, x):
            z = params[layer]["weight"] @ (below + params[layer]["bias"][:, None])
            return finished(problem, layer, z)

        yield "W{l} (a{m} + b{l})", "the bias is added before the product; add it after", before
    if square:

        def transposed(params, layer, below, x):
            given = [dict(leaves) for leaves in params]
            given[layer]["weight"] = params[layer]["weight"].T
            return plain(given, layer, below, x)

        yield "W{l}ᵀ a{m} + b{l}", "the weights are transposed in the forward pass", transposed
    if first > 0:

        def negative(params, layer, below, x):
            given = [dict(leaves) for leaves in params]
            given[layer]["weight"] = -params[layer]["weight"]
            return plain(given, layer, below, x)

        yield "−W{l} a{m} + b{l}", "the sign of the weights is wrong", negative

        def mean(params, layer, below, x):
            return plain(params, layer, below / len(below), x)

        yield (
            "W{l} a{m} / inputs + b{l}",
            "the sum over the inputs is divided by their number",
            mean,
        )
    for other in range(1, network.depth + 1):
        if len(layers) == 1 and first > 0 and other != first:
            if scene.draws[0][other]["weight"].shape == shapes[0]:

                def with_other(params, layer, below, x, other=other):
                    given = [dict(leaves) for leaves in params]
                    given[layer]["weight"] = params[other]["weight"]
                    return plain(given, layer, below, x)

                text = f"W^{other} a{{m}} + b{{l}}"
                yield text, f"the weights are those of layer {other}", with_other
    if len(layers) == 1 and first > 1 and len(scene.x) == len(scene.a[first - 1]):

        def from_input(params, layer, below, x):
            return plain(params, layer, x, x)

        yield "W{l} x + b{l}", "the layer gets the image instead of the activations", from_input
    if first == 1 or first == 0:
        for times, words in (
            (-1.0, "the sign of the images is wrong"),
            (1 / 255, "the images are divided by 255 once more"),
            (255.0, "the images are multiplied by 255"),
            (2.0, "the images are scaled by 2"),
            (0.5, "the images are scaled by ½"),
        ):
            if len(layers) > 1:
                break

            def scaled(params, layer, below, x, times=times):
                return plain(params, layer, times * below, x)

            yield f"x · {times:.3g}", words, scaled
        if len(layers) == 1:
            for text, words, change in (
                ("(x − mean)", "the images are centred", lambda x: x - x.mean(axis=0)),
                (
                    "(x − mean)/std",
                    "the images are standardised",
                    lambda x: (x - x.mean(axis=0)) / x.std(axis=0),
                ),
                ("x/‖x‖", "the images are normalised", lambda x: x / np.sqrt((x * x).sum(axis=0))),
                ("|x|", "the absolute values of the images are used", np.abs),
            ):

                def prepared(params, layer, below, x, change=change):
                    return plain(params, layer, change(below), x)

                yield text, words, prepared
    if first == 0 and not active:
        yield (
            "f(x)",
            "the input layer has an activation",
            lambda params, layer, below, x: ((z := weighted_input(params, layer, below)), f(z, s)),
        )
    output = layers[-1] == network.depth
    if active:

        def after(change: Callable[[Array], Array]) -> Step:
            def step(params, layer, below, x):
                z = weighted_input(params, layer, below)
                return (z, change(z)) if is_active(problem, layer) else (z, z)

            return step

        yield "z{l}", "the activation is left out; apply f", after(lambda z: z)
        twice = "the activation is applied twice; apply it once"
        yield "f(f(z{l}))", twice, after(lambda z: f(f(z, s), s))
        for name, (other, _) in FUNCTIONS.items():
            if name != network.activation:
                words = f"the activation is {name}; use {network.activation}"
                yield f"{name}(z{{l}})", words, after(lambda z, other=other: other(z, s))
        slopes = sorted({0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 1 - s} - {s})
        if "relu" in network.activation:
            for slope in slopes:
                if network.activation == "relu" and slope == 0:
                    continue
                words = f"the slope for z ≤ 0 is {slope:g} in the forward pass"
                yield (
                    f"z{{l}} or {slope:g} z{{l}}",
                    words,
                    after(lambda z, k=slope: np.where(z > 0, z, k * z)),
                )
            swapped = "the sides of the activation are swapped"
            yield (
                "f with its sides swapped",
                swapped,
                after(lambda z: np.where(z > 0, s * z, z if network.activation != "relu" else z)),
            )
            yield (
                "s z{l} if z{l} > 0 else 0",
                swapped,
                after(lambda z: np.where(z > 0, (s or 1) * z, 0.0)),
            )
        for text, words, change in (
            ("softmax(z{l})", "a softmax is applied in the layer", softmax),
            ("2 σ(z{l}) − 1", "the activation is 2σ − 1", lambda z: 2 * sigmoid(z) - 1),
            ("−f(z{l})", "the sign of the activation is wrong", lambda z: -f(z, s)),
            ("f(−z{l})", "the sign of z is wrong", lambda z: f(-z, s)),
            ("z{l} σ(z{l})", "z is multiplied by σ(z)", lambda z: z * sigmoid(z)),
            ("f(z{l})/2", "the activation is halved", lambda z: f(z, s) / 2),
            ("2 f(z{l})", "the activation is doubled", lambda z: 2 * f(z, s)),
            (
                "f'(z{l})",
                "the slope is used as the activation",
                lambda z: FUNCTIONS[network.activation][1](z, s),
            ),
            ("arctan(z{l})", "the activation is arctan", np.arctan),
            ("exp(z{l})", "the activation is exp", np.exp),
            ("Φ(z{l})", "the factor z is missing in gelu", normal_distribution),
            ("z{l} Φ(−z{l})", "the sign in gelu is wrong", lambda z: z * normal_distribution(-z)),
            ("z{l} + Φ(z{l})", "Φ is added; multiply by it", lambda z: z + normal_distribution(z)),
            (
                "z{l} Φ(√2 z{l})",
                "the √2 in gelu is missing",
                lambda z: z * normal_distribution(2**0.5 * z),
            ),
            ("min(z{l}, 0)", "the minimum is taken; take the maximum", lambda z: np.minimum(z, 0)),
            ("[z{l} > 0]", "the step is used as the activation", lambda z: (z > 0) * 1.0),
            ("max(z{l}, 1)", "the threshold is 1", lambda z: np.maximum(z, 1)),
            ("f(z{l}) z{l}", "z is multiplied", lambda z: z * f(z, s)),
            ("|z{l}|", "the absolute value is used as the activation", np.abs),
            ("z{l}²", "the square is used as the activation", lambda z: z * z),
            (
                "gelu by tanh",
                "gelu is approximated with tanh; the network's has the normal distribution",
                lambda z: z * (1 + np.tanh((2 / np.pi) ** 0.5 * (z + 0.044715 * z**3))) / 2,
            ),
        ):
            yield text, words, after(change)

        def residual(params, layer, below, x):
            z, a = plain(params, layer, below, x)
            return z, a + below if a.shape == below.shape else a

        if square:
            yield "f(z{l}) + a{m}", "the activation below is added", residual
    elif output and len(layers) == 1:

        def activated(params, layer, below, x):
            z = weighted_input(params, layer, below)
            return z, f(z, s)

        yield "f(z{l})", "the output layer has an activation here, but not in the loss", activated


def _same_bias(scene: Scene, layer: int, other: int) -> bool:
    mine, theirs = (scene.draws[0][one].get("bias") for one in (layer, other))
    return mine is not None and theirs is not None and mine.shape == theirs.shape


def scaled_units(problem: Problem, layer: int, factors: Array) -> ForwardChange:
    """A hidden layer whose units are multiplied by constants, as by a dropout mask."""
    plain = plain_step(problem)

    def step(params, layer, below, x):
        z, a = plain(params, layer, below, x)
        return z, factors[:, None] * a

    shown = ", ".join(f"{factor:.4g}" for factor in factors[:6]) + ("…" if len(factors) > 6 else "")
    if np.ptp(factors) < 1e-9:
        return ForwardChange(
            f"{factors[0]:.4g} f(z{{l}})",
            "the activations are multiplied by a constant",
            (layer,),
            step,
        )
    words = "the units are multiplied by constants, as by a dropout mask; remove them for the check"
    gains = {layer: factors[:, None]}
    return ForwardChange(f"f(z{{l}}) ⊙ ({shown})", words, (layer,), step, gains)
