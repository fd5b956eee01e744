"""Writes the numbers of the committed JSON into the READMEs.

    python -m tests.tables

In a README, the text between `<!-- numbers: NAME -->` and `<!-- end -->` is what the function NAME
of `tests/readme_numbers.py` returns.
"""

import re

from tests import ROOT
from tests.readme_numbers import BLOCKS

READMES = [ROOT / "README.md", *sorted(ROOT.glob("[!.]*/README.md"))]
BLOCK = re.compile(r"(<!-- numbers: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """The text of a README in which every block is replaced by the current one."""
    return BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]]()}\n{found[3]}", text)


def main() -> None:
    """Rewrites every README whose numbers are not current."""
    for path in READMES:
        text = path.read_text()
        if filled(text) != text:
            path.write_text(filled(text))
            print(f"{path.relative_to(ROOT)} has new numbers")


if __name__ == "__main__":
    main()
