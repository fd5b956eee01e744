"""The configuration of a run: every option of the training command, in one frozen dataclass."""

import re
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
SECONDS = Rule("be at least 1 and at most 86,400", lambda value: 1 <= value <= 86_400)
DEVICES = Rule(
    "be all, or a whole number from 1 to 1,024",
    lambda value: value == "all" or value in map(str, range(1, 1025)),
)
CLUSTER = "cluster"
ADDRESS = Rule(
    f"be HOST:PORT, with a port from 1 to 65,535, or {CLUSTER}",
    lambda value: (
        value in (None, CLUSTER)
        or (
            re.fullmatch(r"[^\s/]+:[0-9]{1,5}", value) is not None
            and 1 <= int(value.rpartition(":")[2]) < 2**16
        )
    ),
)
EPOCHS = Rule("be at least 1 and at most 1,000,000", lambda value: 1 <= value <= 1_000_000)


@dataclass(frozen=True)
class Config:
    """The options of a run. Raises `OptionError` for an invalid or contradictory option.

    >>> from manual_grads import Architecture
    >>> Config(architecture=Architecture(layer_sizes=(784, 32, 10)), epochs=2).batch_size
    256
    """

    HEADINGS: ClassVar = {
        "architecture": "The network",
        "epochs": "Training",
        "devices": "Devices and machines",
        "dataset": "Data",
        "name": "The run directory",
    }

    architecture: Architecture = field(default_factory=Architecture)

    epochs: Annotated[int, "number of passes over the training examples", EPOCHS] = 4
    batch_size: Annotated[
        int, "examples in a step; the last step of an epoch may have fewer", AT_LEAST_1
    ] = 256
    learning_rate: Annotated[float, "the peak learning rate", POSITIVE] = 5e-3
    optimizer: Annotated[
        str,
        "the optimizer; adam and adamw are the same here: both decouple the weight decay",
        one_of("sgd", "momentum", "adam", "adamw"),
    ] = "adamw"
    momentum: Annotated[float, "decay rate of the velocity of --optimizer=momentum", FRACTION] = 0.9
    b1: Annotated[float, "decay rate of Adam's running mean of gradients", FRACTION] = 0.7
    b2: Annotated[float, "decay rate of Adam's running mean of squared gradients", FRACTION] = 0.95
    weight_decay: Annotated[
        float,
        "each step subtracts learning rate · weight decay · weight; biases do not decay",
        NOT_NEGATIVE,
    ] = 0.05
    schedule: Annotated[
        str,
        "schedule of the learning rate; cosine and linear fall to 0 at the end of the run",
        one_of("constant", "cosine", "linear"),
    ] = "linear"
    warmup_epochs: Annotated[float, "epochs of linear learning rate warmup", NOT_NEGATIVE] = 0.05
    gradient: Annotated[
        str,
        "how the gradient is computed; manual is handwritten; checked trains with autodiff, and "
        "compares both gradients at each step",
        one_of("autodiff", "manual", "checked"),
    ] = "autodiff"
    precision: Annotated[
        str,
        "bfloat16 rounds the factors of the matrix products in training to 8 significant bits, "
        "which is faster on hardware with matrix units for bfloat16; all else stays float32",
        one_of("float32", "bfloat16"),
    ] = "float32"
    seed: Annotated[int, "seed of all random numbers", SEED] = 0
    init: Annotated[
        str,
        "initial weights: he N(0, 2/inputs), glorot U(±√(6/(inputs+outputs))), uniform U(±1)",
        one_of("he", "glorot", "uniform"),
    ] = "he"
    init_scale: Annotated[float, "factor that multiplies the initial weights", POSITIVE] = 1.0

    devices: Annotated[
        str,
        "number of devices over which each batch is divided, or all; on a CPU, JAX makes this "
        "number of virtual devices",
        DEVICES,
    ] = "1"
    coordinator: Annotated[
        str | None,
        "address of process 0, for a run of several processes; each process is started with the "
        "same flags and its own --process_id. cluster reads the address, the number of processes "
        "and the process id from the environment variables of Slurm, Open MPI or Kubernetes",
        ADDRESS,
    ] = None
    processes: Annotated[int, "number of processes; several need --coordinator", AT_LEAST_1] = 1
    process_id: Annotated[
        int, "number of this process, from 0; only process 0 prints and writes files", NOT_NEGATIVE
    ] = 0
    process_timeout: Annotated[
        int, "the run ends if a process does not answer for this many seconds", SECONDS
    ] = 20

    dataset: Annotated[
        str,
        "auto uses MNIST if it is available, else digits (scikit-learn's 1,797 small images)",
        one_of("auto", "mnist", "fashion_mnist", "digits"),
    ] = "auto"
    data_dir: Annotated[
        str | None,
        "folder of the four IDX files; if not given, the environment variable MNIST_DATA_DIR (for "
        "MNIST only), else the user's cache, into which missing files are downloaded",
        A_PATH,
    ] = None
    train_examples: Annotated[
        int | None, "train on the first N examples; on all if not given", AT_LEAST_1
    ] = None
    validation_examples: Annotated[
        int | None,
        "use the last N training examples for validation: report their loss after each epoch, and "
        "keep the checkpoint with the lowest loss; no validation if not given",
        AT_LEAST_1,
    ] = None

    name: Annotated[str, "the name of the run and of its folder under runs/", FILE_NAME] = "base"
    workdir: Annotated[str | None, "the run directory; runs/NAME if not given", A_PATH] = None
    resume: Annotated[
        bool, "continue the run in --workdir from its newest undamaged checkpoint", ANY
    ] = False
    overwrite: Annotated[bool, "replace the run in --workdir", ANY] = False
    checkpoint_every_seconds: Annotated[
        float, "seconds between checkpoints; one more is written at the end", NOT_NEGATIVE
    ] = 30.0
    timings: Annotated[bool, "also print the seconds that each part of the run took", ANY] = False
    block_steps: Annotated[
        int, "maximum steps compiled as one block; Ctrl-C waits until the block ends", AT_LEAST_1
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
        if self.process_id >= self.processes or (self.processes > 1 and self.coordinator is None):
            raise OptionError(
                "several --processes need a --coordinator; --process_id must be below --processes",
                f"--coordinator={options.text(self.coordinator)} --processes={self.processes} "
                f"--process_id={self.process_id}",
                "--coordinator=HOST:PORT --processes=2 --process_id=0, and for the other process "
                "the same with --process_id=1",
            )
        if self.warmup_epochs >= self.epochs:
            raise OptionError(
                "--warmup_epochs must be below --epochs",
                f"--warmup_epochs={self.warmup_epochs} --epochs={self.epochs}",
                "a smaller --warmup_epochs",
            )
        for flag, does in (("overwrite", "replaces"), ("resume", "continues")):
            if getattr(self, flag) and self.workdir is None and self.process_id == 0:
                raise OptionError(
                    f"--{flag} needs the --workdir of the run that it {does}",
                    f"--{flag} without --workdir",
                    f"--workdir=runs/{self.name} --{flag}",
                )
        if self.overwrite and self.resume:
            raise OptionError(
                "at most one of --resume and --overwrite may be given",
                "--resume --overwrite",
                "--resume to continue the run, or --overwrite to replace it",
            )
