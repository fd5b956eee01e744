"""The results of the campaigns as a Markdown table, from their committed JSON."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests import ROOT


def campaign(name: str) -> dict[str, Any]:
    """A committed result of `tests/campaigns`."""
    return json.loads((ROOT / f"tests/campaigns/{name}.json").read_text())


def table(head: str, rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table."""
    names = [name.strip() for name in head.split("|")]
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def promises() -> str:
    """The outcomes of the campaigns that test the run directory and the commands."""
    killing, fuzzing = campaign("killing"), campaign("fuzzing")
    read, misbehaving = fuzzing["checkpoints"], campaign("misbehaving")
    files = sum((Counter(each) for each in fuzzing["data"].values()), Counter())
    met, stopped, lines = (
        sum((Counter(each) for each in campaign(name)["outcomes"].values()), Counter())
        for name in ("hostile_runs", "stopping", "command_lines")
    )
    older = read["an older one, said"] + read["an older one, the newest is gone"]
    return table(
        "trial | number | result",
        [
            *(
                (
                    f"{done} at random moments and resumed each time",
                    trials["trials"],
                    f"{trials['bit for bit']} end with the same bits",
                )
                for done, trials in (
                    ("killed with SIGKILL", killing["SIGKILL"]),
                    ("stopped with SIGTERM", killing["SIGTERM"]),
                )
            ),
            (
                "a damaged file of MNIST",
                f"{files.total():,}",
                f"{files['refused']:,} refused, {files['the published bytes']} read, because its "
                "content is undamaged; "
                f"{files.total() - files['refused'] - files['the published bytes']} wrong",
            ),
            (
                "a run directory with damaged checkpoints",
                sum(read.values()),
                f"{read['the newest']} times the newest is undamaged and used, {older} times an "
                f"older one is used, {read['refused']} refused; "
                f"{sum(read.values()) - read['the newest'] - older - read['refused']} wrong",
            ),
            (
                "a run directory with hostile content, loaded, evaluated, resumed and replaced",
                f"{campaign('hostile_runs')['directories']:,}",
                f"{met['done']:,} calls succeed, {met['refused']:,} are refused; "
                f"{met.total() - met['done'] - met['refused']} wrong",
            ),
            (
                "Ctrl-C or SIGTERM, 0.2 to 5 s after a command starts",
                stopped.total(),
                f"{stopped['stopped']} end with one line and status 130 or 143, "
                f"{stopped['ended before']} end before the signal; "
                f"{stopped.total() - stopped['stopped'] - stopped['ended before']} wrong",
            ),
            (
                "a random command line",
                f"{lines.total():,}",
                f"{lines['status 0']:,} succeed, {lines['status 1'] + lines['status 2']:,} get an "
                "error of three parts; "
                f"{lines.total() - sum(lines[f'status {n}'] for n in range(3))} wrong",
            ),
            (
                "code that exits, never returns or returns no valid gradient, checked",
                misbehaving["kinds"],
                f"{misbehaving['refused']} refused; "
                f"{misbehaving['kinds'] - misbehaving['refused']} believed",
            ),
        ],
    )


def page() -> str:
    """The results of the campaign on the page."""
    numbers = campaign("page")
    malformed, violations = numbers["malformed"], numbers["axe_violations"]
    return table(
        "trial of the page | number | result",
        [
            (
                "digits drawn in Chromium, at three sizes and positions",
                numbers["drawn"],
                f"{numbers['right']} recognised",
            ),
            (
                "handwritten derivatives and autodiff, for ten drawings with ten targets each",
                100,
                f"differ by at most {numbers['of_allowed']:.1%} of the bound on rounding errors",
            ),
            (
                "from the end of a stroke to the answer, with all derivatives",
                numbers["strokes"],
                f"median {numbers['median_ms']:.0f} ms",
            ),
            (
                f"requests of {numbers['clients']} clients at once, 5 a second each",
                f"{sum(numbers['statuses'].values()):,}",
                f"{sum(numbers['statuses'].values()) - numbers['statuses']['200']} errors, "
                f"99 % within {numbers['percentile_99_ms']:.0f} ms",
            ),
            (
                "malformed requests, each 100 followed by a good one",
                f"{sum(malformed.values()):,}",
                f"{malformed['refused']:,} refused, every good one answered",
            ),
            (
                "axe's accessibility rules, light and dark, desktop and phone",
                len(violations),
                f"{sum(violations.values())} violations",
            ),
        ],
    )


WORDS = {
    "small_on_a_sheet": "a small digit on a large sheet",
    "thin_pen": "a thin pen",
    "ruled": "ruled paper",
    "dark_border": "a dark border around the paper",
    "chalk": "light ink on dark paper",
    "pencil": "pencil under a strong shadow",
    "turned": "a turned camera, recorded in the EXIF data",
    "transparent": "a transparent background",
    "other_mode": "other pixel formats, such as 16 bits",
    "coloured": "ink and paper of equal brightness",
    "tight": "cropped at the digit's strokes",
    "specks": "specks and fibres",
}
"""Each kind of disturbed picture, in words."""


def pictures() -> str:
    """The results of the campaign on disturbed pictures."""
    numbers = campaign("pictures")
    rows = [
        ("the 10,000 test images themselves", numbers["original"]),
        ("each enlarged, shifted, on coloured paper with shadow and noise", numbers["disturbed"]),
        *((WORDS[kind], found) for kind, found in numbers["kinds"].items()),
    ]
    shown = [
        (words, f"{found['pictures']:,}", f"{found['accuracy']:.1%}", f"{found['not_seen']:,}")
        for words, found in rows
    ]
    few = next(iter(numbers["kinds"].values()))["pictures"]
    return table("pictures | number | recognised correctly | no digit, or several", shown) + (
        f"\n\nA digit was seen on {numbers['digit_seen_on_an_empty_sheet']} of {few} empty sheets, "
        f"and a single digit on {numbers['one_digit_seen_where_two_are']} of {few}\n"
        "sheets with two digits."
    )


def several() -> str:
    """The outcomes of the campaigns about several devices and processes."""
    gradients, meshes, machines = (campaign(name) for name in ("devices", "meshes", "machines"))
    several_and_one, by_hand = (
        max(found[key] for found in gradients["largest_of_twice_the_bound"].values())
        for key in ("several_and_one", "by_hand_and_autodiff")
    )
    means = {mesh: found["mean"] for mesh, found in meshes["meshes"].items()}
    same = sum(found["same_bits"] for found in meshes["meshes"].values())
    misfits = [found for found in machines.values() if isinstance(found, dict)]
    alone = [*machines["hangs"], *misfits]
    return table(
        "trial | number | result",
        [
            (
                "the gradient of a batch on 1, 2, 3 and 8 devices",
                f"{gradients['networks']} random networks",
                "the largest difference of an entry, divided by twice its rounding bound: "
                f"{several_and_one:.2f} between one device and several, {by_hand:.2f} between "
                "handwriting and autodiff",
            ),
            (
                f"`base.flags` on {', '.join(means)}",
                f"{meshes['seeds']} seeds each",
                f"mean accuracies from {min(means.values()):.2%} to {max(means.values()):.2%}; "
                f"trained again, {same} of {len(means)} give the same bits",
            ),
            (
                "one of two processes killed at a random moment",
                machines["kills"],
                f"{machines['message']} times the others end with one message, after at most "
                f"{machines['longest_seconds_to_the_message']:.0f} s; "
                f"{machines['bit_for_bit']} end with the same bits when resumed",
            ),
            (
                "a process that hangs; another flag or version; a port in use; no coordinator",
                len(alone),
                f"{sum(found['message'] for found in alone)} end with the right message, after at "
                f"most {max(found['seconds'] for found in alone):.0f} s",
            ),
        ],
    )
