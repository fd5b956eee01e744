"""The rooms of the house: who may import whom, what stands at the top, how large a file may be."""

import ast
import importlib
import subprocess
from pathlib import Path

import pytest
from absl import flags

from tests import ROOT

ROOMS = ("manual_grads", "mnist_jax", "experiments")
SHARED = {"architecture", "options", "command"}
"""Of manual_grads, what holds no derivative and so may be imported anywhere in mnist_jax."""

MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imports(path):
    """Every module, or name of a module, that a file imports from one of our rooms."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            assert not isinstance(node, ast.ImportFrom), f"{path} imports relatively"
            continue
        yield from (name.split(".") for name in names if name.split(".")[0] in ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    room = path.relative_to(ROOT).parts[0]
    allowed = ROOMS[: ROOMS.index(room) + 1]
    for module in imports(path):
        assert module[0] in allowed
        if room == "mnist_jax" and module[0] == "manual_grads" and path.name != "gradients.py":
            assert module[1] in SHARED


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_importing_a_module_defines_no_flag(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    importlib.import_module(name)
    assert not [module for module in flags.FLAGS.flags_by_module_dict() if module.startswith(ROOMS)]


DERIVATIVES = ("document", "activations", "loss", "network", "bound")
ALLOWED = ("numpy", "jax.numpy", "jax.nn", "jax.lax", "jaxtyping", "typing", "collections.abc")


@pytest.mark.parametrize("name", DERIVATIVES)
def test_no_autodiff_reaches_a_derivative_file(name):
    """Each imports only arithmetic, and of its own room the other such files."""
    own = {"manual_grads.architecture", *(f"manual_grads.{other}" for other in DERIVATIVES)}
    for node in ast.walk(ast.parse((ROOT / "manual_grads" / f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= {*ALLOWED, *own}
        elif isinstance(node, ast.ImportFrom):
            assert node.module in {*ALLOWED, *own}


def tracked():
    listed = subprocess.run(
        ["git", "ls-files"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("this copy is no git checkout, so what belongs to it cannot be listed")
    return [Path(name) for name in listed.stdout.splitlines()]


def test_the_top_level_is_exactly_the_rooms_and_three_files():
    top = {path.parts[0] for path in tracked()}
    plain = {name for name in top if not name.startswith(".")}
    assert plain == {*ROOMS, "tests", "pyproject.toml", "README.md", "LICENSE"}


def test_no_file_is_longer_than_300_lines():
    lengths = {
        path: len((ROOT / path).read_text().splitlines())
        for path in tracked()
        if path.suffix == ".py"
    }
    assert {path: length for path, length in lengths.items() if length > 300} == {}
