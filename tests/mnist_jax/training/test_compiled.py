"""The compiled functions: how often they are traced, and which examples their steps use."""

from dataclasses import replace
from functools import partial
from itertools import cycle, product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import ACTIVATION_NAMES, LOSS_NAMES, Architecture
from manual_grads.cli import OptionError
from mnist_jax import data, training
from mnist_jax.config import Config
from mnist_jax.training import (
    TrainState,
    compile_training,
    compiled,
    epoch_batches,
    evaluate,
    example_weights,
    init_state,
    make_block,
    mode,
    step,
    train_epoch,
)
from mnist_jax.training.optimizer import optimizer
from mnist_jax.training.step import PADDING

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = Architecture(layer_sizes=(784, 8, 10))


@pytest.mark.parametrize("batch_size", [100, 479, 2000])
def test_a_whole_run_traces_the_step_once(batch_size, monkeypatch, tmp_path):
    """Of 1,437 digits, batches of 100 leave 37, batches of 479 leave 0; 2,000 is too many."""
    traces = []

    def counted(config):
        def count(*arguments):
            traces.append("step")
            return mode(config).value_and_grad(*arguments)

        return mode(config)._replace(value_and_grad=count)

    def counted_evaluate(*arguments):
        traces.append("evaluate")
        return evaluate(*arguments)

    monkeypatch.setattr(step, "mode", counted)
    monkeypatch.setattr(compiled, "evaluate", counted_evaluate)
    config = Config(architecture=SMALL, dataset="digits", batch_size=batch_size, epochs=3)
    result = training.train_and_save(config, data.load(config), tmp_path)
    assert sorted(traces) == ["evaluate", "step"]
    assert result["steps"] == 3 * -(-1437 // batch_size)


@pytest.mark.parametrize(("examples", "batch_size"), [(10, 3), (10, 5), (3, 10), (1, 1)])
def test_an_epoch_takes_every_example_once(examples, batch_size, key):
    batches = np.asarray(epoch_batches(key, jnp.int32(1), examples, batch_size))
    assert sorted(batches[batches != PADDING]) == list(range(examples))
    assert batches.shape == (-(-examples // batch_size), min(examples, batch_size))
    assert np.all(batches[:-1] != PADDING)


def test_the_weights_are_those_of_the_mean_over_the_examples_without_the_padding():
    weights = [example_weights(jnp.array(batch)) for batch in ([4, 0, 9, 7], [3, 1, PADDING])]
    np.testing.assert_array_equal(weights[0], [0.25] * 4)
    np.testing.assert_array_equal(weights[1], [0.5, 0.5, 0])


@pytest.mark.parametrize(("block_steps", "lengths"), [(1, [1] * 4), (3, [3, 1]), (9, [4])])
def test_blocks_are_the_batches_of_an_epoch_in_their_order(block_steps, lengths):
    config = Config(
        architecture=SMALL,
        dataset="digits",
        train_examples=10,
        batch_size=3,
        block_steps=block_steps,
    )
    blocks = training.start(config, data.load(config)).batches(1)
    assert [len(block) for block in blocks] == lengths
    key = training.key_for(config.seed, training.Purpose.ORDER)
    np.testing.assert_array_equal(np.concatenate(blocks), epoch_batches(key, jnp.int32(1), 10, 3))


def test_each_epoch_has_an_order_of_its_own(key):
    first, second = (epoch_batches(key, jnp.int32(epoch), 50, 50) for epoch in (1, 2))
    assert not jnp.array_equal(first, second)


class Epoch(NamedTuple):
    """The state after an epoch, and the loss, correct answers and examples of each step."""

    state: TrainState
    losses: np.ndarray
    correct: np.ndarray
    examples: np.ndarray


def epoch_of(functions, state, number) -> Epoch:
    state, blocks = train_epoch(functions, state, number)
    parts = [(block.steps.losses, block.steps.correct, block.examples) for block in blocks]
    return Epoch(state, *(np.concatenate(part) for part in zip(*parts, strict=True)))


def test_one_step_is_plain_descent_on_the_mean_over_its_examples():
    """With one batch for all examples it is θ − rate · ∂C/∂θ, up to rounding errors."""
    config = Config(
        architecture=SMALL,
        dataset="digits",
        train_examples=32,
        batch_size=32,
        optimizer="sgd",
        schedule="constant",
        learning_rate=0.5,
        weight_decay=0.0,
    )
    dataset = data.load(config)
    functions, state = compile_training(config, dataset)
    images = jnp.asarray(dataset.train.images.reshape(32, 784), "float32") / 255
    targets = jnp.asarray(0.9 * np.eye(10, dtype="float32")[dataset.train.labels] + 0.01)
    loss, gradient = mode(config).value_and_grad(state.params, images, targets)
    expected = jax.tree.map(lambda leaf, slope: leaf - 0.5 * slope, state.params, gradient)
    new_state, losses, *_ = epoch_of(functions, state, 1)
    assert losses[0] == pytest.approx(float(loss), rel=1e-5)
    for leaf, wanted in zip(
        jax.tree.leaves(new_state.params), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(leaf, wanted, atol=1e-6)


def test_steps_count_their_own_right_answers():
    config = Config(
        architecture=SMALL, dataset="digits", batch_size=100, optimizer="sgd", learning_rate=1e-30
    )
    dataset = data.load(config)
    functions, state = compile_training(config, dataset)
    train = jax.tree.map(jnp.asarray, dataset.train)
    _, untrained, _ = evaluate(config.architecture, state.params, *train)
    _, _, correct, examples = epoch_of(functions, state, 1)
    assert examples.tolist() == [100] * 14 + [37]
    assert correct.sum() == int(untrained)


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
def test_counting_right_answers_costs_no_second_forward_pass(gradient, monkeypatch):
    """XLA finds the outputs among the values that the gradient computes, and reuses them."""
    architecture = Architecture(layer_sizes=(784, 32, 10))
    config = Config(architecture=architecture, batch_size=64, gradient=gradient)
    update = optimizer(config, steps_per_epoch=1)
    state = init_state(config, update, config.seed)
    arguments = (
        state,
        jnp.zeros((64, 28, 28), "uint8"),
        jnp.zeros(64, "uint8"),
        jnp.arange(64)[None],
    )

    def operations():
        compiled = jax.jit(make_block(config, update)).lower(*arguments).compile()
        costs = compiled.cost_analysis()
        assert costs is not None
        return costs["flops"]

    counting = operations()
    monkeypatch.setattr(step, "correct", lambda *_: jnp.int32(0))
    forward_pass = 2 * 64 * (784 * 32 + 32 * 10)
    assert counting - operations() < 0.1 * forward_pass


def losses_of_two_epochs(config):
    config = replace(config, dataset="digits", batch_size=479)
    functions, state = compile_training(config, data.load(config))
    state, first, *_ = epoch_of(functions, state, 1)
    _, second, *_ = epoch_of(functions, state, 2)
    return first.mean(), second.mean()


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "sgd", "learning_rate": 0.1},
        {"optimizer": "momentum", "learning_rate": 0.01},
        {"optimizer": "adam"},
        {"optimizer": "adamw"},
        {"init": "glorot"},
        {"init": "uniform", "init_scale": 0.05},
        {"schedule": "constant", "warmup_epochs": 1.0},
    ],
    ids=str,
)
def test_every_way_of_training_lowers_the_loss(fields):
    first, second = losses_of_two_epochs(Config(architecture=SMALL, **fields))
    assert second < first


@pytest.mark.parametrize(
    ("loss", "activation", "input_layer"),
    [
        (*chosen, input_layer)  # the number of activations is odd: each loss has both input layers
        for chosen, input_layer in zip(
            product(LOSS_NAMES, ACTIVATION_NAMES), cycle(["plain", "active"]), strict=False
        )
    ],
)
def test_training_lowers_the_loss_with_every_activation_and_loss(loss, activation, input_layer):
    architecture = Architecture(
        layer_sizes=(784, 32, 16, 10),
        activation=activation,
        input_layer=input_layer,
        loss=loss,
        biases=("input", "hidden", "output"),
        label_smoothing=0.0,
    )
    first, second = losses_of_two_epochs(Config(architecture=architecture, init="glorot"))
    assert second < first


STILL = {"optimizer": "sgd", "learning_rate": 1e-30, "weight_decay": 0.0}


def losses_of(config, epoch):
    """The losses of an epoch with fixed parameters; they show which examples each step used."""
    functions, state = compile_training(config, data.load(config))
    return epoch_of(functions, state, epoch).losses


def test_the_order_of_the_examples_depends_on_the_epoch_and_the_seed():
    config = Config(architecture=SMALL, dataset="digits", batch_size=100, **STILL)
    first, second = losses_of(config, 1), losses_of(config, 2)
    assert not np.array_equal(first, second)
    images, labels = data.load(config).train
    order = jax.random.permutation(
        jax.random.fold_in(jax.random.fold_in(jax.random.key(0), 1), 2), 1437
    )
    _, state = compile_training(config, data.load(config))
    for number in (0, 13, 14):  # the last has 37 examples
        batch = np.asarray(order[100 * number : 100 * (number + 1)])
        loss, _, _ = evaluate(
            SMALL, state.params, jnp.asarray(images[batch]), jnp.asarray(labels[batch])
        )
        assert second[number] == pytest.approx(float(loss), rel=1e-5)


def test_another_seed_has_other_initial_parameters():
    first, second = (
        init_state(Config(architecture=SMALL), optimizer(Config(), 1), seed).params
        for seed in (0, 1)
    )
    assert not jnp.array_equal(first[1]["weight"], second[1]["weight"])


@pytest.mark.parametrize("seed", [0, 2**31, 2**32 - 1])
def test_a_seed_gives_the_same_parameters_as_an_argument_and_as_a_constant(seed):
    draw = partial(init_state, Config(architecture=SMALL), optimizer(Config(), 1))
    constant = jax.jit(partial(draw, seed))().params
    argument = jax.jit(draw)(np.uint32(seed)).params
    assert all(map(jnp.array_equal, jax.tree.leaves(constant), jax.tree.leaves(argument)))


def test_a_step_donates_its_state():
    config = Config(architecture=SMALL, dataset="digits", batch_size=479)
    functions, state = compile_training(config, data.load(config))
    train_epoch(functions, state, 1)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


def test_more_steps_than_are_counted_in_int32_are_refused():
    config = Config(architecture=SMALL, dataset="digits", epochs=1_000_000, batch_size=1)
    digits = data.load(config)
    twice = data.Examples(*(np.concatenate([part, part]) for part in digits.train))
    with pytest.raises(OptionError, match=r"fewer than 2,147,483,648 steps\n.* 2,874 steps"):
        compile_training(config, digits._replace(train=twice))


def test_a_program_that_does_not_fit_into_memory_is_refused_before_the_first_step(monkeypatch):
    """Programs are compiled in threads, whose errors must not wait until a program is called."""

    class TooLarge(NamedTuple):
        def compile(self):
            raise MemoryError("too large")

    monkeypatch.setattr(compiled, "_lowered_evaluation", lambda *_: TooLarge())
    config = Config(dataset="digits", architecture=SMALL)
    with pytest.raises(training.MemoryExceededError, match="too large"):
        compile_training(config, data.load(config))
