"""Plants every mistake of the catalogue, in every place that it fits, and lets the checker name it.

    python -m experiments.planted

Each mistake × activation × loss × layer, on networks of 1, 2 and 3 hidden layers; then pairs of
mistakes in different layers; then correct gradients of random networks, in float64 and float32.
"""

import multiprocessing
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
from rich.progress import track

from experiments import results
from experiments.catalogue import correct, loss, networks, plants, point
from experiments.planting import REGULARISED, Plant, handwritten
from manual_grads import ACTIVATION_NAMES, LOSS_NAMES, Architecture, check_gradient
from manual_grads.check import draw, network_loss
from manual_grads.cli import A_PATH, ANY, AT_LEAST_1, SEED, command, options


@dataclass(frozen=True)
class Options:
    """How much is tried beside the catalogue."""

    pairs: Annotated[int, "pairs of mistakes in each network", AT_LEAST_1] = 20
    architectures: Annotated[int, "random architectures with a correct gradient", AT_LEAST_1] = 200
    draws: Annotated[int, "networks drawn of each of these, in each precision", AT_LEAST_1] = 50
    networks: Annotated[int, "of the networks with mistakes, the first so many", AT_LEAST_1] = 24
    seed: Annotated[int, "decides every random draw", SEED] = 0
    out: Annotated[str | None, "where to write; runs/planted if not given", A_PATH] = None
    publish: Annotated[bool, "replace the committed results too", ANY] = False

    def __post_init__(self):
        options.check(self)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    return command.run(partial(measure, argv), Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Plants and lets name, and writes and prints the counts."""
    out = results.folder(chosen.out, "planted")
    pool = ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))
    try:
        tried = pool.map(
            partial(planted_in, chosen.pairs, chosen.seed), networks()[: chosen.networks]
        )
        alarms = {
            precision: pool.map(
                partial(false_alarms, chosen.draws, precision), range(chosen.architectures)
            )
            for precision in ("float64", "float32")
        }
        cases = [
            case
            for network in track(tried, "planting in each network", chosen.networks)
            for case in network
        ]
        counts = {
            precision: sum(track(each, f"correct gradients in {precision}", chosen.architectures))
            for precision, each in alarms.items()
        }
    finally:
        pool.shutdown(cancel_futures=True)
    single = [case for case in cases if len(case.planted) == 1]
    pairs = [case for case in cases if len(case.planted) == 2]
    mistakes = dict.fromkeys(case.planted[0].mistake for case in single)
    numbers = {
        "single": tally(single),
        "by_mistake": {
            mistake: tally([case for case in single if case.planted[0].mistake == mistake])
            for mistake in mistakes
        },
        "pairs": tally(pairs),
        "correct_networks": chosen.architectures * chosen.draws,
        "false_alarms": counts,
        "not_named": {
            place(case): {"verdict": case.verdict, "said": case.said}
            for case in cases
            if case.verdict not in ("named", IDENTITY)
        },
        "identities": [place(case) for case in single if case.verdict == IDENTITY],
    }
    results.save(out / "planted.json", "experiments.planted", argv, numbers)
    if chosen.publish:
        results.publish(out / "planted.json", "planted.json")
    command.say(
        f"one mistake: {numbers['single']}; two: {numbers['pairs']}; false alarms: {counts}; "
        f"all files in {out}"
    )


class Case(NamedTuple):
    """A network, what is planted in its gradient, and what the checker made of that."""

    network: Architecture
    planted: list[Plant]
    verdict: str
    said: list[list[str]]


def planted_in(pairs: int, seed: int, network: Architecture) -> list[Case]:
    """Each mistake in each place of one network, and then pairs of them."""
    single = [tried(network, [plant], seed) for plant in plants(network)]
    lines = [
        case.planted[0]
        for case in single
        if case.verdict != IDENTITY and not OF_NO_LINE & {*case.planted[0]}
    ]
    random = np.random.default_rng(seed)
    drawn = [draw_pair(lines, random) for _ in range(pairs)]
    cases = [*single, *(tried(network, pair, seed) for pair in drawn)]
    _forget_programs()
    return cases


def tried(network: Architecture, planted: list[Plant], seed: int) -> Case:
    """The checker's word on the gradient with these mistakes."""
    params, batch = point(network, planted, seed)
    gradient, of = handwritten(network, planted), loss(network, planted)
    report = check_gradient(gradient, of, params, batch, network=network)
    said = [
        [diagnosis.mistake for diagnosis in cause for _ in diagnosis.where.split(", ")]
        for cause in report.causes
    ]  # once for each place that it names
    same = changes_nothing(network, planted, params, batch)
    return Case(network, planted, verdict(planted, report.agrees, said, same), said)


def changes_nothing(
    network: Architecture, planted: Sequence[Plant], params: list, batch: tuple
) -> bool:
    """Whether the gradient with the mistakes is the right one but for rounding, batch by batch."""
    wrong, right = handwritten(network, planted), handwritten(network, correct(planted))
    return all(
        np.allclose(one, other, rtol=1e-12, atol=1e-14)
        for rows in (slice(None), slice(-2), slice(1), slice(None))
        for one, other in zip(
            *(
                jax.tree.leaves(gradient(params, *(array[rows] for array in batch)))
                for gradient in (wrong, right)
            ),
            strict=True,
        )
    )


def verdict(
    planted: Sequence[Plant], agrees: bool, said: Sequence[Sequence[str]], same: bool
) -> str:
    """What the checker's word is worth.

    Named, alone or in a tie; unknown; a wrong cause, alone or in a tie; not detected; or rightly
    silent, for the mistake changes nothing.
    """
    wanted = Counter(plant.mistake for plant in planted)
    if any(wanted <= Counter(cause) for cause in said):
        return "named"
    if agrees:
        return IDENTITY if same else "not detected"
    if ["unknown"] in said:
        return "unknown"
    return "wrong" if len(said) == 1 else "wrong tie"


IDENTITY = "changes nothing"


def draw_pair(lines: Sequence[Plant], random: np.random.Generator) -> list[Plant]:
    """Two mistakes, in different layers."""
    first = lines[int(random.integers(len(lines)))]
    others = [plant for plant in lines if plant.layer != first.layer]
    return [first, others[int(random.integers(len(others)))]]


OF_NO_LINE = {
    *("sum-not-mean", "averaged-twice", "bias-scale", "nominal-batch", "not-cleared"),
    *("clipped", "low-precision", "leaked-slot", "kink", "weights", "all", *REGULARISED),
}
"""Mistakes, and variants, that lie in no single line, or are none, as another slope at a kink."""


def tally(cases: Sequence[Case]) -> dict[str, int]:
    """How many cases there are, and of each verdict."""
    return {"planted": len(cases), **Counter(case.verdict for case in cases)}


def place(case: Case) -> str:
    """The network and what is planted in it, in words."""
    network = case.network
    sizes = options.text(network.layer_sizes)
    words = ["; ".join(" ".join(map(str, plant)) for plant in case.planted), "in", sizes]
    return " ".join([*words, network.activation, network.loss])


def false_alarms(draws: int, precision: str, number: int) -> int:
    """How many correct gradients of the random architecture `number` are found fault with."""
    network, batch_size = random_network(np.random.default_rng(number))
    gradient = in_precision(handwritten(network, []), precision)
    count = 0
    for seed in range(draws):
        params, batch = draw(network, batch_size, seed)
        report = check_gradient(gradient, network_loss(network), params, batch, network=network)
        count += not report.agrees
    _forget_programs()
    return count


def _forget_programs() -> None:
    """Compiled programs hold memory maps, of which Linux grants a process 65,530."""
    jax.clear_caches()


def random_network(random: np.random.Generator) -> tuple[Architecture, int]:
    """Depth 1–4, widths 1–20, all biased, and a batch of 1–9 examples."""
    depth = int(random.integers(1, 5))
    biases = ("input", "hidden", "output") if depth > 1 else ("input", "output")
    network = Architecture(
        layer_sizes=tuple(int(units) for units in random.integers(1, 21, depth + 1)),
        activation=str(random.choice(ACTIVATION_NAMES)),
        loss=str(random.choice(LOSS_NAMES)),
        input_layer=str(random.choice(["plain", "active"])),
        biases=biases,
        label_smoothing=0.0,
    )
    return network, int(random.integers(1, 10))


def in_precision(gradient: Callable[..., Any], precision: str) -> Callable[..., Any]:
    """The gradient computed in `precision`, whatever it is given."""

    def narrow(leaf):
        return leaf.astype(precision) if leaf.dtype == np.float64 else leaf

    return lambda *arguments: gradient(*jax.tree.map(narrow, arguments))


if __name__ == "__main__":
    command.leave(main())
