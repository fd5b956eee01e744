"""Checks each mistake that somebody made in public, and its corrected program.

    python -m tests.campaigns.real_mistakes [--short] [NAME…]

`cases/` has a program for each. In the wrong line, the comment `# right:` has the
corrected statement; with it, the gradient must agree. A cause is right if it has the places of the
mistake, and a right name or none. The result is written to `tests/campaigns/real_mistakes.json`.
"""

import json
import multiprocessing
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tests.campaigns import asked
from tests.campaigns.real_mistakes.judge import tried

HERE = Path(__file__).parent
CASES = HERE / "cases"
RESULT = HERE.parent / "real_mistakes.json"


def main(words: list[str]) -> int:
    """Runs all cases, or the named ones, and returns 1 if a right program is called wrong."""
    named = [word for word in words if not word.startswith("--")]
    short = "--short" in words
    paths = [
        path
        for number, path in enumerate(sorted(CASES.glob("*.py")))
        if (not named or path.stem in named) and not (short and number % 18)
    ]
    results: dict[str, Any] = {}
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as workers:
        for path, result in zip(paths, workers.map(tried, paths), strict=True):
            results[path.stem] = result
            if result["verdict"] != "explained" or result["false_alarm"] or named:
                print(json.dumps({path.stem: result}, indent=1, ensure_ascii=False), flush=True)
    counts = Counter(one["verdict"] for one in results.values())
    alarms = sum(one["false_alarm"] for one in results.values())
    print(dict(counts), "false alarms:", alarms)
    if not named and not short:
        text = {"counts": dict(counts), "false_alarms": alarms, "cases": results}
        RESULT.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n")
    return 1 if alarms or counts["not detected"] else 0


if __name__ == "__main__":
    sys.exit(main(asked(__doc__)))
