"""Injected mistakes on one network: which are named, and how the verdicts are counted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.mistakes.cases import networks, point
from experiments.mistakes.gradient import Injected
from experiments.mistakes.trials import changes_nothing, tried, verdict
from manual_grads import ACTIVATION_NAMES, LOSS_NAMES
from tests import ROOT

SIGN, FACTOR = Injected("sign", "weight", 1), Injected("factor", "delta 2", 2)


def test_a_verdict_is_of_what_every_cause_names():
    def said(*causes, injected=(SIGN,), agrees=False, same=False):
        return verdict(injected, agrees, causes, same)

    assert said(["sign"]) == "named"
    assert said(["factor"], ["sign"]) == "named"
    assert said(["factor"]) == "wrong"
    assert said(["factor"], ["permuted"]) == "wrong tie"
    assert said(["unknown"]) == "unknown"
    assert said(["sign"], injected=(SIGN, FACTOR)) == "wrong"
    assert said(["factor", "sign"], injected=(SIGN, FACTOR)) == "named"
    assert said(["sign"], injected=(SIGN, SIGN)) == "wrong"
    assert said(agrees=True, same=True) == "changes nothing"
    assert said(agrees=True) == "not detected"
    assert said(["sign"], agrees=True) == "named"


def test_only_what_leaves_every_batch_as_it_is_changes_nothing():
    network = next(n for n in networks() if n.activation == "relu")
    params, batch = point(network, [], 0)
    harmless, nominal = Injected("slope-at-a", "", 1), Injected("nominal-batch", "", 2)
    assert changes_nothing(network, [harmless], params, batch)
    assert not changes_nothing(network, [SIGN], params, batch)
    assert not changes_nothing(network, [nominal], params, batch)
    assert not changes_nothing(network, [Injected("not-cleared", "", 2)], params, batch)


def test_every_mistake_injected_into_a_network_is_named():
    words = "--networks=1 --places=1 --pairs=2 --out=here"
    command = [sys.executable, "-m", "experiments.mistakes", *words.split()]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    numbers = json.loads(Path("here/mistakes.json").read_text())
    single = numbers["single"]
    assert single["injected"] == len(numbers["by_mistake"]) > 15
    assert single["named"] + single.get("changes nothing", 0) == single["injected"]
    assert numbers["pairs"]["injected"] == 2


def test_the_networks_are_every_activation_and_loss_at_three_depths():
    combinations = {(n.depth, n.activation, n.loss) for n in networks()}
    assert len(combinations) == len(networks()) == 3 * len(ACTIVATION_NAMES) * len(LOSS_NAMES)


PAIRS = [
    (("overwritten", "bias first twice", 1), ("labels-shifted", "", 2)),
    (("overwritten", "weight last dropped", 1), ("labels-shifted", "", 2)),
    (("factor", "delta 4", 1), ("overwritten", "weight last dropped", 1)),
    (("overwritten", "bias first dropped", 1), ("one-hot-missing", "", 2)),
]


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_miscounted_example_is_named_beside_another_mistake(pair):
    """A batch of the miscounted example alone is 0 or twice as large, which misleads."""
    network = next(n for n in networks() if n.activation == "relu" and n.loss == "squared_error")
    assert tried(network, [Injected(*one) for one in pair], 0).verdict == "named"


@pytest.mark.parametrize("mistake", ["sign", "permuted"])
def test_an_example_whose_activations_are_all_0_does_not_mislead(mistake):
    """In this network some examples have only dead units in their hidden layer."""
    network = next(n for n in networks() if n.activation == "relu")
    variant = {"sign": "weight", "permuted": "weight rolled"}[mistake]
    assert tried(network, [Injected(mistake, variant, 2)], 0).verdict == "named"
