"""Long tests with random input. Each is a command; `.ci/run` calls its short form."""

import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from tests import ROOT


def record(campaign: str, numbers: dict[str, Any], publish: bool) -> None:
    """Prints the results of a campaign; `publish` also writes `CAMPAIGN.json` here."""
    text = json.dumps({"command": f"python -m tests.campaigns.{campaign}", **numbers}, indent=1)
    if publish:
        (ROOT / f"tests/campaigns/{campaign}.json").write_text(text + "\n")
    print(text)


def run(description: str | None, full: Callable[[], int], short: Callable[[], int]) -> NoReturn:
    """Runs the full campaign, or with `--short` the short one, and exits with its status."""
    words = asked(description)
    if words not in ([], ["--short"]):
        sys.exit(f"expected --short, --help or nothing; got {' '.join(words)}")
    sys.exit(short() if words else full())


def asked(description: str | None) -> list[str]:
    """The words of the command line. With `--help`, prints the description and exits."""
    if "--help" in sys.argv:
        print((description or "").strip())
        sys.exit(0)
    return sys.argv[1:]
