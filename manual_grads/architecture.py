"""The architecture of a network: its layers, activation, biases and loss."""

from dataclasses import dataclass
from typing import Annotated

from manual_grads.cli import AT_LEAST_1, FINITE, FRACTION, OptionError, Rule, one_of, options

ACTIVATION_NAMES = ("sigmoid", "tanh", "relu", "leaky_relu", "gelu")
LOSS_NAMES = ("cross_entropy", "squared_error")
INPUT_LAYERS = ("plain", "active")
BIASED_LAYERS = ("input", "hidden", "output")

SIZES = Rule(
    "have at least an input and an output layer, each with at least 1 unit",
    lambda sizes: len(sizes) >= 2 and all(map(AT_LEAST_1.holds, sizes)),
)
BIASES = Rule(
    "be none, or any of input, hidden, output, each at most once",
    lambda names: set(names) <= set(BIASED_LAYERS) and len(set(names)) == len(names),
)


@dataclass(frozen=True)
class Architecture:
    """The description of a network and its loss, without the parameters.

    Layer 0 is the input layer. An invalid value raises `OptionError`.

    >>> Architecture(layer_sizes=(784, 35, 35, 10)).leaf_shapes()[3]
    {'weight': (10, 35), 'bias': (10,)}
    """

    layer_sizes: Annotated[
        tuple[int, ...], "number of units in each layer, input layer first", SIZES
    ] = (784, 1024, 10)
    activation: Annotated[
        str,
        "the activation function f; gelu is exact, not approximated by tanh",
        one_of(*ACTIVATION_NAMES),
    ] = "relu"
    negative_slope: Annotated[float, "slope of leaky_relu for z ≤ 0", FINITE] = 0.1
    input_layer: Annotated[
        str, "active: the input layer has the activation; plain: it has none", one_of(*INPUT_LAYERS)
    ] = "plain"
    biases: Annotated[tuple[str, ...], "the layers that have a bias", BIASES] = ("hidden", "output")
    loss: Annotated[
        str,
        "cross_entropy, computed from a softmax of the outputs, or squared_error: Σ (target − "
        "output)², without ½. The loss is the mean over the batch. With cross_entropy, the output "
        "layer has no activation",
        one_of(*LOSS_NAMES),
    ] = "cross_entropy"
    label_smoothing: Annotated[
        float, "ε in the cross_entropy targets (1 − ε)·one-hot + ε/K, with K classes", FRACTION
    ] = 0.1

    def __post_init__(self):
        options.check(self)
        if "hidden" in self.biases and self.depth < 2:
            raise OptionError(
                "--biases must name layers that the network has",
                f"hidden, but --layer_sizes={options.text(self.layer_sizes)} has no hidden layer",
                "--biases=output, or add a hidden layer to --layer_sizes",
            )
        if self.loss != "cross_entropy" and self.label_smoothing > 0:
            raise OptionError(
                f"--label_smoothing must be 0 with --loss={self.loss}",
                f"--label_smoothing={self.label_smoothing}",
                "--label_smoothing=0, or --loss=cross_entropy",
            )

    @property
    def depth(self) -> int:
        """`L`, the number of layers with weights, which is also the index of the output layer."""
        return len(self.layer_sizes) - 1

    def leaf_shapes(self) -> list[dict[str, tuple[int, ...]]]:
        """The shapes of the parameters: one dict for each layer, the input layer first."""
        sizes = self.layer_sizes
        return [
            ({"weight": (units, sizes[layer - 1])} if layer > 0 else {})
            | ({"bias": (units,)} if self.has_bias(layer) else {})
            for layer, units in enumerate(sizes)
        ]

    def has_bias(self, layer: int) -> bool:
        """Whether layer `layer` has a bias."""
        role = "input" if layer == 0 else "output" if layer == self.depth else "hidden"
        return role in self.biases
