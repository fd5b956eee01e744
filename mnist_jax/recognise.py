"""Recognises the handwritten digit in a picture, with a trained network.

    python -m mnist_jax.recognise PICTURE [MORE…] [--workdir=runs/base]

Takes scans and photographs of one digit, dark on light or light on dark, in every format that
Pillow reads. Prints the digit and the ten probabilities, or that no single digit is seen.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from manual_grads.cli import A_PATH, ANY, FlagError, OptionError, command, options, paths
from mnist_jax import figures, pictures, runs, training
from mnist_jax.model import Recognition


@dataclass(frozen=True)
class Options:
    """The options of the command."""

    workdir: Annotated[
        str | None, "the directory of a completed run; the newest in runs/ if not given", A_PATH
    ] = None
    json: Annotated[
        bool,
        "print one line of JSON for each picture: picture, digit, probabilities; the digit is null "
        "if no single digit is seen",
        ANY,
    ] = False
    show: Annotated[
        str | None, "write all pictures, network inputs and probabilities to this PNG file", A_PATH
    ] = None

    def __post_init__(self):
        options.check(self)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the arguments `argv` and returns its exit status."""
    return command.run(recognise, Options, __doc__, argv, takes_words=True)


def recognise(chosen: Options, names: list[str]) -> None:
    """Recognises all pictures, then draws the figure, and then prints the results."""
    if not names:
        raise FlagError("a picture must be named", "no picture", "seven.png, or several files")
    shown = None if chosen.show is None else paths.of_user(chosen.show)
    if shown is not None and shown.resolve() in [paths.of_user(name).resolve() for name in names]:
        raise OptionError(
            "--show must not name a picture to recognise", f"--show={chosen.show}", "another file"
        )
    training.require_device()
    model = runs.load(paths.of_user(chosen.workdir) if chosen.workdir else runs.newest())
    seen, small = [], []
    for name in names:
        picture = pictures.read(name)
        seen.append(model.recognise(picture))
        if shown is not None:
            small.append(pictures.thumbnail(picture))
    if shown is not None:
        runs.make_folder(shown.parent)
        figures.write(shown.parent, {shown.name: figures.recognised(small, seen)})
    for name, each in zip(names, seen, strict=True):
        command.say(
            _json(name, each) if chosen.json else _text(name, each), wrapped=not chosen.json
        )


def _json(name: str, seen: Recognition) -> str:
    values = None if seen.probabilities is None else [float(p) for p in seen.probabilities]
    return json.dumps({"picture": name, "digit": seen.digit, "probabilities": values})


def _text(name: str, seen: Recognition) -> str:
    if seen.probabilities is None:
        return f"{name}: no single digit is seen; crop the picture to one digit with a margin"
    bars = [
        f"  {digit} {value:6.1%} {'█' * round(40 * float(value))}".rstrip()
        for digit, value in enumerate(seen.probabilities)
    ]
    return "\n".join([f"{name}: {seen.digit}", *bars])


if __name__ == "__main__":
    command.leave(main())
