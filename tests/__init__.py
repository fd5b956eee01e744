"""The tests; `tests/campaigns` holds the sweeps that take minutes."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The folder of the repository."""
