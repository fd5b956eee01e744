"""Programs that train the same network, each with another library.

    python -m experiments.speed.peer_programs LIBRARY SETTINGS

trains on the MNIST files in a folder, and prints one line of JSON: the test accuracy, and for each
epoch the examples per second. SETTINGS is a JSON object of all options of `mnist_jax.train`. Each
library draws other initial weights and another order of the examples. All compute in float32. But
if `precision` is bfloat16, `ours` rounds the factors of matrix products to bfloat16, and `pytorch`
rounds the factors and the results. LIBRARY can also be `products`, which times matrix products.
"""

import gzip
import itertools
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Settings = dict[str, Any]
Result = tuple[float, list[float]]
CONSTANT_RATE = 1e-3
"""The learning rate of scikit-learn's program, which is that library's default."""


def read(settings: Settings) -> list[np.ndarray]:
    """The images as rows of values in [0, 1], and the labels, for training and for testing."""
    folder, first, arrays = Path(settings["data_dir"]), settings["train_examples"], []
    for part in ("train", "t10k"):
        images, labels = (
            np.frombuffer(
                gzip.decompress((folder / f"{part}-{name}").read_bytes()),
                np.uint8,
            )
            for name in ("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz")
        )
        arrays += [images[16:].reshape(-1, 784)[:first] / np.float32(255), labels[8:][:first]]
        first = None
    return arrays


def rate(settings: Settings, step: int, steps: int) -> float:
    """The learning rate of a step: a linear warm-up, then a linear decrease to 0."""
    warmup = round(settings["warmup_epochs"] * steps / settings["epochs"])
    if step < warmup:
        return settings["learning_rate"] * (step + 1) / (warmup + 1)
    return settings["learning_rate"] * (1 - (step - warmup) / (steps - warmup))


def timed(epoch: Callable[[], None], settings: Settings, examples: int) -> list[float]:
    """For each epoch, the number of examples trained per second."""
    rates = []
    for _ in range(settings["epochs"]):
        started = time.perf_counter()
        epoch()
        rates.append(examples / (time.perf_counter() - started))
    return rates


def pytorch(settings: Settings) -> Result:
    """Trains eagerly with PyTorch's fused AdamW, in autocast if `precision` is bfloat16."""
    import torch  # pyright: ignore[reportMissingImports] - in the extra `benchmark`
    from torch import nn  # pyright: ignore[reportMissingImports] - in the same extra

    images, labels, test_images, test_labels = map(torch.tensor, read(settings))
    labels, test_labels = labels.long(), test_labels.long()
    torch.manual_seed(settings["seed"])
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(settings["layer_sizes"]):
        linear = nn.Linear(inputs, outputs)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    network = nn.Sequential(*layers[:-1])
    cost = nn.CrossEntropyLoss(label_smoothing=settings["label_smoothing"])
    weights = [leaf for leaf in network.parameters() if leaf.ndim == 2]
    biases = [leaf for leaf in network.parameters() if leaf.ndim == 1]
    groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0}]
    betas, decay = (settings["b1"], settings["b2"]), settings["weight_decay"]
    optimizer = torch.optim.AdamW(groups, 1.0, betas, weight_decay=decay, fused=True)
    steps = settings["epochs"] * -(-len(labels) // settings["batch_size"])
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate(settings, min(step, steps), steps)
    )

    def epoch():
        for batch in torch.randperm(len(labels)).split(settings["batch_size"]):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, settings["precision"] == "bfloat16"):
                loss = cost(network(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            schedule.step()

    rates = timed(epoch, settings, len(labels))
    with torch.no_grad():
        right = (network(test_images).argmax(dim=1) == test_labels).float().mean()
    return float(right), rates


def scikit_learn(settings: Settings) -> Result:
    """Trains scikit-learn's MLPClassifier with Adam, without a schedule or label smoothing."""
    from sklearn.neural_network import MLPClassifier

    images, labels, test_images, test_labels = read(settings)
    network = MLPClassifier(
        settings["layer_sizes"][1:-1],
        alpha=0.0,
        batch_size=settings["batch_size"],
        learning_rate_init=CONSTANT_RATE,
        random_state=settings["seed"],
    )
    classes = np.arange(10)
    rates = timed(
        lambda: network.partial_fit(images, labels, classes=classes) and None, settings, len(labels)
    )
    return float(network.score(test_images, test_labels)), rates


def plain_jax(settings: Settings) -> Result:
    """Trains as JAX's own MNIST example does: a Python loop calls a compiled JAX and Optax step."""
    import jax
    import jax.numpy as jnp
    import optax

    images, labels, test_images, test_labels = read(settings)
    random = np.random.RandomState(settings["seed"])
    params = [
        (random.normal(0, (2 / m) ** 0.5, (m, n)).astype(np.float32), np.zeros(n, np.float32))
        for m, n in itertools.pairwise(settings["layer_sizes"])
    ]
    steps = settings["epochs"] * -(-len(labels) // settings["batch_size"])
    warmup = round(settings["warmup_epochs"] * steps / settings["epochs"])
    peak = settings["learning_rate"]
    schedule = optax.join_schedules(
        [optax.linear_schedule(peak / (warmup + 1), peak, warmup),
         optax.linear_schedule(peak, 0.0, steps - warmup)], [warmup]
    )  # fmt: skip
    optimizer = optax.adamw(
        schedule, settings["b1"], settings["b2"], weight_decay=settings["weight_decay"]
    )
    moments = optimizer.init(params)

    def outputs(params, images):
        for weight, bias in params[:-1]:
            images = jax.nn.relu(images @ weight + bias)
        return images @ params[-1][0] + params[-1][1]

    def loss(params, images, labels):
        smooth = optax.smooth_labels(jax.nn.one_hot(labels, 10), settings["label_smoothing"])
        return optax.softmax_cross_entropy(outputs(params, images), smooth).mean()

    @jax.jit
    def update(params, moments, images, labels):
        changes, moments = optimizer.update(jax.grad(loss)(params, images, labels), moments, params)
        return optax.apply_updates(params, changes), moments

    def epoch():
        nonlocal params, moments
        ends = range(settings["batch_size"], len(labels), settings["batch_size"])
        for batch in np.split(random.permutation(len(labels)), ends):
            params, moments = update(params, moments, images[batch], labels[batch])
        jax.block_until_ready(params)

    rates = timed(epoch, settings, len(labels))
    answers = jnp.argmax(outputs(params, test_images), axis=1)
    return float(jnp.mean(answers == test_labels)), rates


def ours(settings: Settings) -> Result:
    """Trains with `mnist_jax`, without its files and figures."""
    from manual_grads.cli import options
    from mnist_jax import Config, data, training

    config = options.build(Config, settings)
    dataset = data.load(config, lambda line: None)
    compiled, state = training.compile_training(config, dataset)
    epochs = iter(range(1, config.epochs + 1))

    def epoch():
        nonlocal state
        state, _ = training.train_epoch(compiled, state, next(epochs))

    rates = timed(epoch, settings, len(dataset.train.labels))
    return compiled.evaluate(state.params).correct / len(dataset.test.labels), rates


def products(settings: Settings) -> Result:
    """The most operations per second that XLA, PyTorch or NumPy reach in a float32 matrix product.

    The factors have the shapes of a batch and the largest weight matrix. The accuracy is 0.
    """
    import jax
    import torch  # pyright: ignore[reportMissingImports] - in the extra `benchmark`

    m = settings["batch_size"]
    n, k = max(itertools.pairwise(settings["layer_sizes"]), key=math.prod)
    a, b = np.random.default_rng(0).normal(size=(2, 2048, 2048)).astype(np.float32)
    a, b = a[:m, :n].copy(), b[:n, :k].copy()
    multiply, best = jax.jit(jax.numpy.matmul), 0.0
    of_jax, of_torch = [jax.device_put(each) for each in (a, b)], [*map(torch.tensor, (a, b))]
    for product in (
        lambda: multiply(*of_jax).block_until_ready(),
        lambda: torch.matmul(*of_torch),
        lambda: np.matmul(a, b),
    ):
        product()
        for _ in range(9):
            started, calls = time.perf_counter(), max(int(1e9 / (m * n * k)), 1)
            for _ in range(calls):
                product()
            best = max(best, 2 * m * n * k * calls / (time.perf_counter() - started))
    return 0.0, [best]


PROGRAMS: dict[str, Callable[[Settings], Result]] = {
    "ours": ours,
    "pytorch": pytorch,
    "plain_jax": plain_jax,
    "scikit_learn": scikit_learn,
    "products": products,
}


def main() -> None:
    """Runs the program that the command line names."""
    name, settings = sys.argv[1:]
    found, rates = PROGRAMS[name](json.loads(settings))
    print(json.dumps({"accuracy": found, "rates": rates}))


if __name__ == "__main__":
    main()
