"""The form of a request, and the answer to it. The server stores nothing between two requests.

Each request lists all steps of gradient descent that the user has taken. The server takes them
again, starting at the run's parameters, to compute the page's own copy of the network.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
from msgspec import Meta, Struct

from manual_grads import Architecture
from mnist_jax.config import PIXELS
from mnist_jax.model import Model, Params
from mnist_jax.page import derivatives
from mnist_jax.page.drawing import PEN, SIDE, network_pixels

MOST_STEPS = 20
Coordinate = Annotated[int, Meta(ge=0, le=SIDE)]
Stroke = Annotated[list[tuple[Coordinate, Coordinate]], Meta(min_length=1, max_length=1000)]
Digit = Annotated[int, Meta(ge=0, le=9)]
Number = Annotated[int, Meta(ge=0, lt=2**31)]


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """A step of gradient descent for an image and a target; `rate` is the learning rate."""

    pixels: Annotated[bytes, Meta(min_length=PIXELS, max_length=PIXELS)]
    target: Digit
    rate: Annotated[float, Meta(gt=0, le=1)]


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """A request. Without a `target`, the target is the digit with the second-largest output.

    `unit` is the layer and the index of the unit whose numbers are returned; None means the unit
    with the largest |δ| in the last hidden layer, or in layer 1 if there is no hidden layer.
    """

    strokes: Annotated[list[Stroke], Meta(max_length=64)]
    target: Digit | None
    steps: Annotated[list[Step], Meta(max_length=MOST_STEPS)]
    unit: tuple[Number, Number] | None


class UnanswerableError(ValueError):
    """A request has the right form but no answer. The message is a sentence."""


class Network(NamedTuple):
    """A run's network with a bias in every layer. `own` is 0 for each added bias leaf, else 1.

    `compute(image, label, unit)` is `derivatives.compute` with these parameters. They are constants
    of the compiled function, so |W| and Wᵀ are computed only once.
    """

    name: str
    architecture: Architecture
    params: Params
    own: Params
    compute: Callable[..., derivatives.Derivatives]


def network(name: str, model: Model) -> Network:
    """The network that the page shows, from a run's model."""
    full, params, own = derivatives.with_every_bias(model.config.architecture, model.params)
    compute = jax.jit(partial(derivatives.compute, full, params))
    return Network(name, full, params, own, compute)


def described(network: Network) -> dict[str, Any]:
    """The facts about the network that the page needs before a digit is drawn."""
    architecture = network.architecture
    return {
        "name": network.name,
        "sizes": architecture.layer_sizes,
        "activation": architecture.activation,
        "negative_slope": architecture.negative_slope,
        "active_input": architecture.input_layer == "active",
        "loss": architecture.loss,
        "own_biases": [bool(leaves["bias"]) for leaves in network.own],
        "side": SIDE,
        "pen": PEN,
        "most_steps": MOST_STEPS,
    }


def warm_up(network: Network) -> None:
    """Answers a question without steps and one with a step, so that everything is compiled."""
    for steps in ([], [Step(bytes(PIXELS), 0, 1e-3)]):
        answer(network, Question([[(SIDE // 2, 0), (SIDE // 2, SIDE)]], None, steps, None))


def answer(network: Network, question: Question) -> dict[str, Any]:
    """The numbers that the page shows. Raises `UnanswerableError`.

    The bytes of `pixels` are uint8, and all other bytes are float32. If the drawing does not show a
    single digit, the only entry is `pixels`, which is None.
    """
    architecture = network.architecture
    if question.unit is not None and not _exists(architecture, *question.unit):
        raise UnanswerableError(f"The network has no unit {list(question.unit)}.")
    pixels = network_pixels(question.strokes)
    if pixels is None:
        return {"pixels": None}
    image = _from_0_to_1(pixels.tobytes())
    params = network.params
    for step in question.steps:
        inputs = _from_0_to_1(step.pixels), np.int32(step.target), np.float32(step.rate)
        params = derivatives.step(architecture, params, network.own, *inputs)
    label = np.int32(-1 if question.target is None else question.target)
    layer, unit = question.unit or (max(1, architecture.depth - 1), -1)
    rows = np.where(np.arange(len(architecture.layer_sizes)) == layer, unit, -1).astype(np.int32)
    compute = partial(derivatives.compute, architecture, params)
    found = (compute if question.steps else network.compute)(image, label, rows)
    found = jax.tree.map(np.asarray, found)
    label = np.int32(np.argmax(found.y))
    before = found.cost, found.output
    if question.steps:
        before = derivatives.evaluate(architecture, network.params, image, label)
    numbers = {
        "target": int(label),
        "cost": float(found.cost),
        "output": found.output.tolist(),
        "y": found.y.tolist(),
        "before": {"cost": float(before[0]), "output": np.asarray(before[1]).tolist()},
        "a": list(map(_bytes, found.a)),
        "delta": [_bytes(leaves["bias"]) for leaves in found.handwritten],
        "input_autodiff": _bytes(found.autodiff[0]["bias"]),
        "leaves": _leaves(found),
        "unit": _unit(params, found, layer),
    }
    if not np.all(np.isfinite([found.cost, *(leaf["difference"] for leaf in numbers["leaves"])])):
        raise UnanswerableError(
            "After these steps the numbers are too large for float32. Press Back."
        )
    return {"pixels": pixels.tobytes(), **numbers}


def _leaves(found: derivatives.Derivatives) -> list[dict[str, Any]]:
    """The largest difference between the two gradients in each leaf.

    `of_allowed` is the largest ratio of an entry's difference to twice its rounding bound.
    """
    return [
        {
            "layer": layer,
            "name": name,
            "difference": float(found.difference[layer][name]),
            "of_allowed": float(found.of_bound[layer][name]),
        }
        for layer, leaves in enumerate(found.handwritten)
        for name in leaves
    ]


def _unit(params: Params, found: derivatives.Derivatives, layer: int) -> dict[str, Any]:
    """The numbers of one unit, with its row of W^l and its column of W^(l+1)."""
    unit = int(found.row[layer])
    weight, above = (
        np.asarray(params[each]["weight"]) if 0 < each < len(params) else None
        for each in (layer, layer + 1)
    )
    return {
        "layer": layer,
        "unit": unit,
        "z": float(found.z[layer][unit]),
        "a": float(found.a[layer][unit]),
        "slope": float(found.slope[layer][unit]),
        "bias": float(params[layer]["bias"][unit]),
        "delta": float(found.handwritten[layer]["bias"][unit]),
        "delta_autodiff": float(found.autodiff[layer]["bias"][unit]),
        "weights": _bytes(weight[unit]) if weight is not None else None,
        "by_hand": _bytes(found.handwritten[layer]["weight"]) if layer > 0 else None,
        "by_autodiff": _bytes(found.autodiff[layer]["weight"]) if layer > 0 else None,
        "weights_above": _bytes(above[:, unit]) if above is not None else None,
    }


def _exists(architecture: Architecture, layer: int, unit: int) -> bool:
    sizes = architecture.layer_sizes
    return layer < len(sizes) and unit < sizes[layer]


def _from_0_to_1(pixels: bytes) -> np.ndarray:
    return np.frombuffer(pixels, np.uint8).astype(np.float32) / 255


def _bytes(array: Any) -> bytes:
    return np.asarray(array, "<f4").tobytes()
