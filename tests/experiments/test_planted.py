"""The sweep of planted mistakes, on one network: what is named, and what the counts say."""

import json
from pathlib import Path

from experiments import planted
from experiments.catalogue import networks, point
from experiments.planted import changes_nothing, verdict
from experiments.planting import Plant

SIGN, FACTOR = Plant("sign", "weight", 1), Plant("factor", "delta 2", 2)


def test_a_verdict_is_of_what_every_cause_names():
    def said(*causes, planted=(SIGN,), agrees=False, same=False):
        return verdict(planted, agrees, causes, same)

    assert said(["sign"]) == "named"
    assert said(["factor"], ["sign"]) == "named"
    assert said(["factor"]) == "wrong"
    assert said(["factor"], ["permuted"]) == "wrong tie"
    assert said(["unknown"]) == "unknown"
    assert said(["sign"], planted=(SIGN, FACTOR)) == "wrong"
    assert said(["factor", "sign"], planted=(SIGN, FACTOR)) == "named"
    assert said(["sign"], planted=(SIGN, SIGN)) == "wrong"
    assert said(agrees=True, same=True) == "changes nothing"
    assert said(agrees=True) == "not detected"
    assert said(["sign"], agrees=True) == "named"


def test_only_what_leaves_every_batch_as_it_is_changes_nothing():
    network = next(n for n in networks() if n.activation == "relu")
    params, batch = point(network, [], 0)
    harmless, nominal = Plant("slope-at-a", "", 1), Plant("nominal-batch", "", 2)
    assert changes_nothing(network, [harmless], params, batch)
    assert not changes_nothing(network, [SIGN], params, batch)
    assert not changes_nothing(network, [nominal], params, batch)
    assert not changes_nothing(network, [Plant("not-cleared", "", 2)], params, batch)


def test_every_mistake_planted_in_a_network_is_named(capsys):
    words = "--networks=1 --pairs=5 --architectures=1 --draws=2 --out=here"
    assert planted.main(words.split()) == 0
    numbers = json.loads(Path("here/planted.json").read_text())
    single = numbers["single"]
    assert single["planted"] > 90
    assert single["named"] + single.get("changes nothing", 0) == single["planted"]
    assert numbers["pairs"]["planted"] == 5
    assert numbers["correct_networks"] == 2
    assert numbers["false_alarms"] == {"float64": 0, "float32": 0}


def test_the_networks_are_every_activation_and_loss_at_three_depths():
    assert len({(n.depth, n.activation, n.loss) for n in networks()}) == 24
