"""Everything that decides a run, as one frozen value."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from manual_grads import Architecture
from manual_grads.cli import (
    A_PATH,
    ANY,
    AT_LEAST_1,
    FILE_NAME,
    FRACTION,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    OptionError,
    Rule,
    one_of,
    options,
)

PIXELS = 28 * 28
CLASSES = 10
EPOCHS = Rule("be at least 1 and at most 1,000,000", lambda value: 1 <= value <= 1_000_000)


@dataclass(frozen=True)
class Config:
    """Everything that decides a run. Raises `OptionError` for a value that is not allowed.

    >>> from manual_grads import Architecture
    >>> Config(architecture=Architecture(layer_sizes=(784, 32, 10)), epochs=2).batch_size
    256
    """

    HEADINGS: ClassVar = {
        "architecture": "The network",
        "epochs": "Training",
        "dataset": "Data",
        "name": "The run directory",
    }

    architecture: Architecture = field(default_factory=Architecture)

    epochs: Annotated[int, "passes over the training examples", EPOCHS] = 9
    batch_size: Annotated[
        int, "examples a step; the last step of an epoch takes what is left", AT_LEAST_1
    ] = 256
    learning_rate: Annotated[float, "the peak learning rate", POSITIVE] = 3e-3
    optimizer: Annotated[
        str,
        "by its name in optax; adam and adamw are one, for the decay is decoupled",
        one_of("sgd", "momentum", "adam", "adamw"),
    ] = "adamw"
    momentum: Annotated[float, "decay of the velocity of --optimizer=momentum", FRACTION] = 0.9
    weight_decay: Annotated[
        float,
        "decoupled: each step takes learning rate · decay · weight from weights alone",
        NOT_NEGATIVE,
    ] = 0.05
    schedule: Annotated[
        str, "cosine falls from the peak to 0 over the run", one_of("constant", "cosine")
    ] = "cosine"
    warmup_epochs: Annotated[float, "epochs of linear rise from 0 to the peak", NOT_NEGATIVE] = 0.0
    gradient: Annotated[
        str,
        "who computes it; checked trains on autodiff's, and holds the handwritten one against it",
        one_of("autodiff", "manual", "checked"),
    ] = "autodiff"
    seed: Annotated[int, "decides every random draw", SEED] = 0
    init: Annotated[
        str,
        "weights: he N(0, 2/inputs), glorot U(±√(6/(inputs + outputs))), uniform U(±1)",
        one_of("he", "glorot", "uniform"),
    ] = "he"
    init_scale: Annotated[float, "factor on the initial weights", POSITIVE] = 1.0

    dataset: Annotated[
        str,
        "auto is mnist where it can be had, else digits, the 1,797 that scikit-learn carries",
        one_of("auto", "mnist", "fashion_mnist", "digits"),
    ] = "auto"
    data_dir: Annotated[
        str | None,
        "the folder of the four IDX files; without it MNIST_DATA_DIR (mnist alone), then the "
        "user's cache, filled by downloading",
        A_PATH,
    ] = None
    train_examples: Annotated[
        int | None, "train on the first N examples; all if not given", AT_LEAST_1
    ] = None
    validation_examples: Annotated[
        int | None,
        "hold out the last N training examples, tell their loss each epoch, keep the best "
        "checkpoint by it; none if not given",
        AT_LEAST_1,
    ] = None

    name: Annotated[str, "names the run, and its folder under runs/", FILE_NAME] = "base"
    workdir: Annotated[str | None, "the run directory; runs/NAME when not given", A_PATH] = None
    resume: Annotated[
        bool, "go on with the run that --workdir holds, from its newest whole checkpoint", ANY
    ] = False
    overwrite: Annotated[bool, "replace the run that --workdir holds", ANY] = False
    checkpoint_every_seconds: Annotated[
        float, "from one checkpoint to the next, at least; the end of the run has one", NOT_NEGATIVE
    ] = 30.0
    block_steps: Annotated[
        int, "steps compiled in one piece, at most; a stop waits for its end", AT_LEAST_1
    ] = 2000

    def __post_init__(self):
        options.check(self)
        sizes = self.architecture.layer_sizes
        if (sizes[0], sizes[-1]) != (PIXELS, CLASSES):
            raise OptionError(
                f"--layer_sizes must start with the image size, {PIXELS}, and end with the number "
                f"of classes, {CLASSES}",
                f"--layer_sizes={options.text(sizes)}",
                f"--layer_sizes={options.text((PIXELS, *sizes[1:-1], CLASSES))}",
            )
        if self.warmup_epochs >= self.epochs:
            raise OptionError(
                "--warmup_epochs must be below --epochs",
                f"--warmup_epochs={self.warmup_epochs} --epochs={self.epochs}",
                "fewer epochs of warm-up",
            )
        for flag, does in (("overwrite", "replaces"), ("resume", "goes on with")):
            if getattr(self, flag) and self.workdir is None:
                raise OptionError(
                    f"--{flag} must come with the --workdir that it {does}",
                    f"--{flag} alone",
                    f"--workdir=runs/{self.name} --{flag}",
                )
        if self.overwrite and self.resume:
            raise OptionError(
                "a run is either gone on with or replaced",
                "--resume --overwrite",
                "one of the two",
            )
