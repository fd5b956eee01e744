"""Injects every known mistake in every possible place, and counts how often the check names it.

    python -m experiments.mistakes

Mistakes are injected one at a time, and then in random pairs; the mistakes of a pair are in
different layers. The networks have every activation and loss, and 1, 2 or 3 hidden layers.
`tests/campaigns/right_gradients.py` checks correct gradients.
"""

import multiprocessing
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Annotated

from rich.progress import track

from experiments.common import record
from experiments.mistakes.cases import networks
from experiments.mistakes.trials import IDENTITY, Case, trials_of
from manual_grads.cli import AT_LEAST_1, SEED, command, options


@dataclass(frozen=True)
class Options(record.Output):
    """The numbers of networks, of places and of pairs, and the seed."""

    places: Annotated[
        int | None, "try a mistake only in its first N places; if not given, in all", AT_LEAST_1
    ] = None
    pairs: Annotated[int, "pairs of mistakes in each network", AT_LEAST_1] = 20
    networks: Annotated[int, "inject into the first N networks", AT_LEAST_1] = len(networks())
    seed: Annotated[int, "seed of the trials", SEED] = 0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the given arguments, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Runs all trials in worker processes, and writes and prints the counts of verdicts."""
    out = record.folder(chosen.out, "mistakes")
    sweep = partial(trials_of, chosen.places, chosen.pairs, chosen.seed)
    pool = ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))
    try:
        tried = pool.map(sweep, networks()[: chosen.networks])
        cases = [*chain.from_iterable(track(tried, "injecting into each network", chosen.networks))]
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.kill()  # else the worker would outlive this process
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    single, pairs = ([case for case in cases if len(case.injected) == n] for n in (1, 2))
    by_mistake: dict[str, list[Case]] = {}
    for case in single:
        by_mistake.setdefault(case.injected[0].mistake, []).append(case)
    numbers = {
        "single": tally(single),
        "by_mistake": {mistake: tally(theirs) for mistake, theirs in by_mistake.items()},
        "pairs": tally(pairs),
        "not_named": {
            place(case): {"verdict": case.verdict, "said": case.causes}
            for case in cases
            if case.verdict not in ("named", IDENTITY)
        },
        "identities": [place(case) for case in single if case.verdict == IDENTITY],
    }
    saved = record.save(out / "mistakes.json", "experiments.mistakes", argv, numbers)
    record.publish(chosen, saved)
    command.say(f"single: {numbers['single']}; pairs: {numbers['pairs']}; all files in {out}")


def tally(cases: Sequence[Case]) -> dict[str, int]:
    """The number of cases, and the number of cases with each verdict."""
    return {"injected": len(cases), **Counter(case.verdict for case in cases)}


def place(case: Case) -> str:
    """A text that names the injected mistakes and the network."""
    network, injected = case.network, "; ".join(" ".join(map(str, one)) for one in case.injected)
    return f"{injected} in {options.text(network.layer_sizes)} {network.activation} {network.loss}"


if __name__ == "__main__":
    command.leave(main())
