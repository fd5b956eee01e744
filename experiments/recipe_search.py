"""Trains with each setting of a list, and compares the accuracies on held-out training images.

    python -m experiments.recipe_search --recipe=fast

The last 10,000 training images are held out, and the test images are not used. The settings of
`fast.flags` and `base.flags` were chosen with this command.
"""

import itertools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from experiments.accuracy import SEEDS
from experiments.common import record, sweep
from manual_grads import Architecture
from manual_grads.cli import A_PATH, command, one_of
from mnist_jax import Config, data

HELD_OUT = 10_000


def _grid(config: Config, **values: Sequence[Any]) -> Iterator[Config]:
    """Yields the config with each combination of values; `units` is the number of hidden units."""
    for chosen in itertools.product(*values.values()):
        fields = dict(zip(values, chosen, strict=True))
        sizes = (784, fields.pop("units"), 10)
        yield replace(config, architecture=Architecture(layer_sizes=sizes), **fields)


START = Config(
    schedule="linear", warmup_epochs=0.05, weight_decay=0.0, validation_examples=HELD_OUT
)
STEADY = Config(
    schedule="cosine", epochs=9, batch_size=256, learning_rate=3e-3, b1=0.9, b2=0.999,
    weight_decay=0.05, validation_examples=HELD_OUT,
)  # fmt: skip
GUESS = replace(
    START, epochs=4, batch_size=256, learning_rate=5e-3, b1=0.8, b2=0.95, weight_decay=0.05
)
RECIPES = {
    "fast": [
        *_grid(replace(START, epochs=1, batch_size=128, b2=0.95), units=(512,),
               learning_rate=(3e-3, 5e-3, 8e-3, 12e-3), b1=(0.7, 0.8, 0.9)),
        *_grid(replace(START, epochs=1, batch_size=128, b1=0.8), units=(512,),
               learning_rate=(5e-3,), b2=(0.9, 0.98, 0.999)),
        *_grid(replace(START, epochs=1, b1=0.8, b2=0.95), units=(256, 384, 768),
               learning_rate=(8e-3,), batch_size=(96, 128)),
        *_grid(replace(START, epochs=1, b1=0.8, b2=0.95), units=(512,),
               learning_rate=(5e-3, 8e-3, 12e-3), batch_size=(64, 96, 192, 256)),
    ],
    "base": [
        *_grid(STEADY, units=(1024,)),
        *_grid(GUESS, units=(768, 1024, 1536)),
        *_grid(GUESS, units=(1024,), learning_rate=(3e-3, 8e-3)),
        *_grid(GUESS, units=(1024,), b1=(0.7, 0.9)),
        *_grid(GUESS, units=(1024,), b2=(0.9, 0.98)),
        *_grid(GUESS, units=(1024,), weight_decay=(0.0, 0.1)),
        *_grid(GUESS, units=(1024,), batch_size=(128, 512)),
        *_grid(GUESS, units=(1024,), epochs=(3, 5)),
    ],
}  # fmt: skip
"""Lists of settings to try. Each list varies a few options at a time around an initial guess."""


@dataclass(frozen=True)
class Options(record.Output):
    """The list of settings, the seeds and the folder of the data."""

    recipe: Annotated[str, "the list of settings", one_of(*RECIPES)] = "fast"
    seeds: Annotated[tuple[int, ...], "train once with each seed", SEEDS] = (100, 101, 102)
    data_dir: Annotated[str | None, "as for mnist_jax.train", A_PATH] = None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the given arguments, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Trains with each setting and seed; writes and prints settings and accuracies, best first."""
    sweep.use_all_cores()
    settings = [replace(each, data_dir=chosen.data_dir) for each in RECIPES[chosen.recipe]]
    dataset = data.load(settings[0], command.say)
    out = record.folder(chosen.out, f"{chosen.recipe}-recipes")
    rows = []
    for number, config in enumerate(settings, start=1):
        title = f"setting {number} of {len(settings)}"
        histories = sweep.train_seeds(config, dataset, chosen.seeds, title)
        found = [history[-1]["validation_accuracy"] for history in histories]
        rows.append({**setting(config), "held_out": found, "median": statistics.median(found)})
    rows.sort(key=lambda row: -row["median"])
    numbers = {"dataset": dataset.name, "held_out_examples": HELD_OUT, "settings": rows}
    saved = record.save(
        out / f"{chosen.recipe}_recipes.json", "experiments.recipe_search", argv, numbers
    )
    record.publish(chosen, saved)
    for row in rows:
        words = ", ".join(f"{name} {value}" for name, value in row.items() if name != "held_out")
        command.say(words)
    command.say(f"all files in {out}")


def setting(config: Config) -> dict[str, Any]:
    """The options that differ between settings, with their values in `config`."""
    names = ("epochs", "batch_size", "learning_rate", "b1", "b2", "weight_decay", "schedule")
    units = config.architecture.layer_sizes[1]
    return {"units": units, **{name: getattr(config, name) for name in names}}


if __name__ == "__main__":
    command.leave(main())
