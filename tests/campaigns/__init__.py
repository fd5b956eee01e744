"""Long tests with random input. Each is a command; `.ci/run` calls its short form."""

import json
from typing import Any

from tests import ROOT


def record(campaign: str, numbers: dict[str, Any], publish: bool) -> None:
    """Prints the results of a campaign; `publish` also writes `CAMPAIGN.json` here."""
    text = json.dumps({"command": f"python -m tests.campaigns.{campaign}", **numbers}, indent=1)
    if publish:
        (ROOT / f"tests/campaigns/{campaign}.json").write_text(text + "\n")
    print(text)
