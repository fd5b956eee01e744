"""Training on several devices: virtual ones, which `tests/conftest.py` makes."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import Architecture, derivatives, named_leaves, targets
from mnist_jax import data, runs, training
from mnist_jax.config import Config
from mnist_jax.model import network_inputs
from mnist_jax.train import main
from mnist_jax.training import compile_training, train_epoch
from mnist_jax.training.failures import DeviceError
from tests import ROOT
from tests.campaigns.devices import of_bound, random_network
from tests.campaigns.killing import bits

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = Architecture(layer_sizes=(784, 8, 10))
FIELDS = {
    "architecture": SMALL,
    "dataset": "digits",
    "train_examples": 310,
    "validation_examples": 100,
    "batch_size": 100,
    "block_steps": 2,
    "epochs": 2,
}


def test_the_gradient_of_several_devices_is_that_of_one_within_the_rounding_bound():
    (found,) = of_bound(*random_network(0), counts=[3])
    assert max(found) <= 1


U = 2.0**-24
"""The unit roundoff of float32."""


@pytest.mark.parametrize(
    ("gradient", "devices"), [("autodiff", "3"), ("manual", "8"), ("checked", "2")]
)
def test_a_step_of_several_devices_is_that_of_one_within_the_rounding_bound(gradient, devices):
    """Its 10 examples are no multiple of 3 or 8. A step of descent is θ − g, rounded once."""
    config = Config(
        **{**FIELDS, "train_examples": 10, "validation_examples": None, "epochs": 1},
        gradient=gradient,
        optimizer="sgd",
        learning_rate=1.0,
        schedule="constant",
        weight_decay=0.0,
        warmup_epochs=0.0,
    )
    dataset = data.load(config)
    ends, blocks = [], []
    for count in ("1", devices):
        functions, start = compile_training(replace(config, devices=count), dataset)
        before = jax.tree.map(jnp.array, jax.device_get(start.params))
        state, (block,) = train_epoch(functions, start, 1)
        ends.append(named_leaves(jax.device_get(state.params)))
        blocks.append(block)
        if gradient == "checked":
            for inspected in (block.steps.inspected, block.float64):
                assert inspected is not None
                assert max(np.max(leaf) for leaf in jax.tree.leaves(inspected.of_bound)) <= 1
    images = network_inputs(jnp.asarray(dataset.train.images), "float32")
    truth = targets(SMALL, jnp.asarray(dataset.train.labels), "float32")
    bound = derivatives.gradient_bound(SMALL, before, images, truth, precision="float32")
    for leaf, allowed in named_leaves(bound).items():
        one, several = ends[0][leaf], ends[1][leaf]
        rounded = U * (np.abs(one) + np.abs(several))
        assert np.all(np.abs(one - several) <= 2 * np.asarray(allowed) + rounded), leaf
    assert blocks[0].examples == blocks[1].examples == [10]
    assert blocks[0].steps.correct == blocks[1].steps.correct


def test_the_evaluation_of_several_devices_is_that_of_one():
    config = Config(**FIELDS)
    dataset = data.load(config)
    found = []
    for devices in ("1", "7"):
        functions, state = compile_training(replace(config, devices=devices), dataset)
        assert functions.validate is not None
        found += [(functions.evaluate(state.params), functions.validate(state.params))]
    for one, several in zip(*found, strict=True):
        assert one.outputs.shape == several.outputs.shape
        np.testing.assert_allclose(one.outputs, several.outputs, rtol=1e-5, atol=1e-6)
        assert (one.correct, one.loss) == (several.correct, pytest.approx(several.loss, rel=1e-6))


def run(workdir, stop_after=None, **fields):
    config = Config(**{**FIELDS, "workdir": str(workdir), **fields})
    asked = []

    def stopped():
        asked.append(1)
        return KeyboardInterrupt() if len(asked) == stop_after else None

    with runs.claimed(config) as folder:
        return training.train_and_save(config, data.load(config), folder, stopped=stopped)


def test_the_same_devices_give_the_same_bits_also_after_a_stop(tmp_path):
    result = run(tmp_path / "whole", devices="3")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", 1, devices="3")
    run(tmp_path / "stopped", devices="3", resume=True)
    assert bits(tmp_path / "whole") == bits(tmp_path / "stopped")
    assert result["mesh"] == {"processes": 1, "devices": 3}


def test_a_run_can_be_resumed_with_another_number_of_devices(tmp_path):
    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", 3, devices="2")
    result = run(tmp_path / "stopped", devices="8", resume=True)
    assert result["mesh"]["devices"] == 8
    assert result["train_loss"] == pytest.approx(whole["train_loss"], rel=1e-4)


def test_more_devices_than_there_are_can_be_refused():
    """The process has computed before, so that no further virtual devices can be made."""
    jax.block_until_ready(jnp.zeros(1))
    with pytest.raises(DeviceError, match=r"--devices=9 needs 9 devices\n.* 8 of kind cpu"):
        training.require_device("9")
    training.require_device("all")


def test_the_command_makes_the_devices_that_it_needs():
    words = ["--dataset=digits", "--train_examples=30", "--layer_sizes=784,4,10", "--epochs=1"]
    command = [sys.executable, "-m", "mnist_jax.train", *words, "--devices=2", "--workdir=two"]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    result = json.loads(Path("two/result.json").read_text())
    assert result["mesh"] == {"processes": 1, "devices": 2}


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ("fpu avx2 avx512f amx_bf16 amx_tile", None),
        ("fpu avx2 avx512f avx512_bf16", "this processor has no matrix units for bfloat16"),
        ("fp asimd bf16", None),
        ("fpu sse4_2 avx2", "this processor has no matrix units for bfloat16"),
        (None, None),
    ],
    ids=["AMX", "AVX-512", "Arm", "without", "not Linux"],
)
def test_a_processor_without_units_for_bfloat16_is_named_once(
    flags, line, tmp_path, capsys, monkeypatch
):
    cpuinfo = tmp_path / "cpuinfo"
    if flags is not None:
        cpuinfo.write_text(f"flags\t\t: {flags}\n" * 2)
    units = partial(training.processor_units, cpuinfo)
    assert units() == (sorted({*flags.split()} & KNOWN_UNITS) if flags is not None else None)
    monkeypatch.setattr("mnist_jax.training.devices.processor_units", units)
    words = ["--dataset=digits", "--layer_sizes=784,8,10", "--epochs=1", "--batch_size=2000"]
    assert main([*words, "--precision=bfloat16", f"--workdir={tmp_path / 'run'}"]) == 0
    lines = [each for each in capsys.readouterr().out.splitlines() if "bfloat16" in each]
    assert len(lines) == (line is not None)
    assert all(each.startswith(line) for each in lines)


def test_a_gpu_is_not_judged_by_the_processor(monkeypatch):
    monkeypatch.setattr("mnist_jax.training.devices.processor_units", lambda: ["avx2"])
    assert training.lacks_bfloat16_units()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not training.lacks_bfloat16_units()


KNOWN_UNITS = {"avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile", "bf16"}
