"""Tests that both gradients agree for random networks, also at kinks and with saturated units.

The architectures are drawn with fixed seeds, and each is compiled once. Hypothesis draws the
points. The profile `thorough` tests more architectures:

    HYPOTHESIS_PROFILE=thorough python -m pytest \
        tests/manual_grads/derivatives/test_random_networks.py
"""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manual_grads import ACTIVATION_NAMES, INPUT_LAYERS, LOSS_NAMES, Architecture
from tests.compiling import FAST_TO_COMPILE
from tests.manual_grads.derivatives.cases import BIAS_SUBSETS, assert_agreement, draw, measure

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
ARCHITECTURES, EXAMPLES_EACH = (3_000, 10) if THOROUGH else (6, 34)


def random_architecture(seed):
    """A random architecture (depth 1–5, widths 1–40), and a batch size of 1–17."""
    random = np.random.default_rng(seed)
    depth = random.integers(1, 6)
    loss = str(random.choice(LOSS_NAMES))
    biases = BIAS_SUBSETS[random.integers(8)]
    architecture = Architecture(
        layer_sizes=tuple(int(units) for units in random.integers(1, 41, depth + 1)),
        activation=str(random.choice(ACTIVATION_NAMES)),
        negative_slope=float(random.choice([0.0, 0.01, 0.1, 0.5])),
        input_layer=str(random.choice(INPUT_LAYERS)),
        biases=tuple(name for name in biases if name != "hidden" or depth > 1),
        loss=loss,
        label_smoothing=float(random.choice([0.0, 0.1])) if loss == "cross_entropy" else 0.0,
    )
    return architecture, int(random.integers(1, 18))


points = st.fixed_dictionaries(
    {
        "weight_scale": st.sampled_from([0.5, 1.0, 4.0]),
        "image_scale": st.sampled_from([1.0, 1.0, 30.0, 1000.0]),
        "zeros": st.sampled_from([0.0, 0.5, 0.8, 1.0]),
    }
)


@pytest.mark.parametrize(
    ("seed", "factors"),
    [(seed, "bfloat16" if seed % 3 == 2 else None) for seed in range(ARCHITECTURES)],
)
def test_both_gradients_agree_on_every_network_at_every_point(seed, factors):
    architecture, batch = random_architecture(seed)

    @settings(
        max_examples=EXAMPLES_EACH,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(point=points, point_seed=st.integers(0, 2**32 - 1))
    def agree(point, point_seed):
        random = np.random.default_rng(point_seed)
        point = draw(architecture, batch, random, **point)
        assert_agreement(measure(architecture, point, FAST_TO_COMPILE, factors))

    agree()


@pytest.mark.parametrize("slope", [0.0, 0.25])
def test_both_gradients_agree_where_the_terms_of_a_z_cancel(slope):
    """Exactly, z = Σ w x − Σ w x is 0; fused multiply-adds can round it to a nonzero number."""
    network = Architecture(
        layer_sizes=(8, 1, 1),
        activation="leaky_relu",
        negative_slope=slope,
        biases=("hidden",),
        loss="squared_error",
        label_smoothing=0.0,
    )
    random = np.random.default_rng(0)
    for _ in range(20):
        point = draw(network, 1, random)
        point.params[1]["weight"][:, 4:] = -point.params[1]["weight"][:, :4]
        point.params[1]["bias"][:] = 0
        point.images[:, 4:] = point.images[:, :4]
        assert_agreement(measure(network, point, FAST_TO_COMPILE))
