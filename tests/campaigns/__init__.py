"""Long trials against random input, each a command with a short form that `.ci/run` calls."""

import json
from typing import Any

from tests import ROOT


def record(campaign: str, numbers: dict[str, Any], publish: bool) -> None:
    """Prints what came of a campaign, and if asked writes it to `CAMPAIGN.json` in this folder."""
    text = json.dumps({"command": f"python -m tests.campaigns.{campaign}", **numbers}, indent=1)
    if publish:
        (ROOT / f"tests/campaigns/{campaign}.json").write_text(text + "\n")
    print(text)
