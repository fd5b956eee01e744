"""The tests. `tests/campaigns` contains longer trials, which pytest does not run."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The root folder of the repository."""
