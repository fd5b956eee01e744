"""Tests of the project's structure: allowed imports, top-level files and the length of files.

A room is a folder of modules, or a module that lies beside folders.
"""

import ast
import graphlib
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

from tests import ROOT

PACKAGES = ("manual_grads", "mnist_jax", "experiments")

LEVELS = (
    {"manual_grads/cli"},
    {"manual_grads/architecture", "manual_grads/leaves"},
    {"manual_grads/targets", "manual_grads/derivatives"},
    {"manual_grads/check/formulas"},
    {"manual_grads/check/lines"},
    {"manual_grads/check/diagnosis"},
    {"manual_grads/check"},
    {"mnist_jax/config", "mnist_jax/clock", "mnist_jax/progress", "mnist_jax/background"},
    {"mnist_jax/pictures"},
    {"mnist_jax/model", "mnist_jax/processes"},
    {"mnist_jax/data"},
    {"mnist_jax/runs"},
    {"mnist_jax/figures"},
    {"mnist_jax/training"},
    {"mnist_jax/train", "mnist_jax/evaluate", "mnist_jax/recognise", "mnist_jax/page"},
    {"experiments/common"},
    {"experiments/accuracy", "experiments/mistakes"},
    {"experiments/compare", "experiments/biases", "experiments/speed", "experiments/recipe_search"},
)
"""The rooms, lowest level first. A room can import only from itself and from lower levels."""

FREE = {"manual_grads/cli", "manual_grads/architecture", "manual_grads/leaves"}
FREE |= {"manual_grads/targets"}
"""The rooms of manual_grads without derivatives; every module of mnist_jax can import them."""

DOORS = {"mnist_jax/training/gradients.py", "mnist_jax/page/derivatives.py"}
"""The modules of `mnist_jax` that may import the rooms with derivatives."""

FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MODULES = [path for path in FILES if path.name != "__init__.py"]
INITS = [path for path in FILES if path.name == "__init__.py"]


def named(path):
    return str(path.relative_to(ROOT))


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def exports(package):
    """The names that a package's stub exports, each with the module that it comes from."""
    stub = ROOT / package.replace(".", "/") / "__init__.pyi"
    found = {}
    for node in ast.walk(ast.parse(stub.read_text()) if stub.exists() else ast.Module([], [])):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                source = f"{package}.{node.module}" if node.module else f"{package}.{alias.name}"
                found[alias.name] = source
    return found


def is_package(name):
    return (ROOT / name.replace(".", "/") / "__init__.py").exists()


def imports(path):
    """The `(module, name)` of each import from our packages; for `import module`, name is None."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            pairs = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            pairs = [(str(node.module), alias.name) for alias in node.names]
        else:
            continue
        yield from (pair for pair in pairs if pair[0].split(".")[0] in PACKAGES)


def source(module, name):
    """The module that defines a name, even if other packages import and export the name."""
    while is_package(module):
        if name is None:
            return module
        module, name = exports(module).get(name, f"{module}.{name}"), name
        if module.endswith(f".{name}"):
            return module
    return module


def room(module):
    """The room that contains a module: the longest room name with which the path begins."""
    path = module.replace(".", "/")
    rooms = [name for names in LEVELS for name in names]
    fitting = [name for name in rooms if path == name or path.startswith(f"{name}/")]
    return max(fitting, key=len, default=None)


def level(name):
    return next(number for number, rooms in enumerate(LEVELS) if name in rooms)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_import_is_from_a_lower_level_or_the_same_room(path):
    here = room(module_of(path)) or ""
    for module, name in imports(path):
        there = room(source(module, name))
        if there is None:  # a whole package is imported: check the attributes that are used
            assert is_package(source(module, name))
            used = attributes_used(path, name or module)
            theirs = {room(source(source(module, name), each)) for each in used}
        else:
            theirs = {there}
        for other in theirs - {here, None}:
            assert level(other) < level(here), f"{module}.{name}"
            if here.startswith("mnist_jax") and str(other).startswith("manual_grads"):
                assert other in FREE or named(path) in DOORS, f"{module}.{name}"


def test_no_files_import_each_other_in_a_circle():
    imported = {
        module_of(path): {source(module, name) for module, name in imports(path)}
        for path in MODULES
    }
    graphlib.TopologicalSorter(imported).prepare()


def attributes_used(path, alias):
    """The attributes of an imported package that a file uses."""
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == alias
    }


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_code_outside_a_package_imports_only_what_it_exports(path):
    own = module_of(path).split(".")
    for module, name in imports(path):
        parts = module.split(".")
        outer = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        packages = [each for each in outer if is_package(each)]
        foreign = [each for each in packages if own[: each.count(".") + 1] != each.split(".")]
        if not foreign:
            continue
        assert is_package(module), f"{module} is a file inside a package"
        if name is not None and not is_package(f"{module}.{name}"):
            assert name in exports(module), f"{module} does not export {name}"
    for module, name in imports(path):
        package = f"{module}.{name}"
        if name is not None and is_package(package) and own[:-1] != package.split("."):
            missing = attributes_used(path, name) - set(exports(package))
            assert not {each for each in missing if not is_package(f"{package}.{each}")}


@pytest.mark.parametrize("path", INITS, ids=named)
def test_the_docstring_of_every_package_lists_its_modules(path):
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    inside = {
        each.stem
        for each in path.parent.iterdir()
        if (each.suffix == ".py" and each.stem != "__init__") or (each / "__init__.py").exists()
    }
    listed = set(re.findall(r"^(\w+)  +", text, re.MULTILINE))
    assert inside == listed
    assert len([name for name in inside if (path.parent / f"{name}.py").exists()]) <= 8


@pytest.mark.parametrize("path", INITS, ids=named)
def test_every_name_that_a_package_exports_exists(path):
    package = importlib.import_module(module_of(path))
    for name in exports(module_of(path)):
        assert getattr(package, name) is not None


@pytest.mark.parametrize("name", [*PACKAGES, "mnist_jax.train", "manual_grads.cli"])
def test_importing_a_package_imports_neither_jax_nor_numpy(name):
    """A command must set up its signal handlers and settings before slow modules are imported."""
    code = f"import sys, {name}; sys.exit(bool({{'jax', 'numpy'}} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert ended.returncode == 0


@pytest.mark.parametrize("path", FILES, ids=named)
def test_importing_a_module_defines_no_flag(path):
    importlib.import_module(module_of(path))
    defined = flags.FLAGS.flags_by_module_dict()
    assert not [module for module in defined if module.startswith(PACKAGES)]


DERIVATIVES = sorted((ROOT / "manual_grads/derivatives").glob("[!_]*.py"))
ALLOWED = {
    *("numpy", "jax.numpy", "jax.nn", "jax.lax", "jaxtyping", "manual_grads"),
    *("manual_grads.architecture", "manual_grads.cli", "manual_grads.leaves"),
    *("collections.abc", "functools", "typing"),
}


@pytest.mark.parametrize("path", DERIVATIVES, ids=named)
def test_no_autodiff_reaches_a_derivative(path):
    """Of `jax` itself, a derivative file uses only `jit` and `tree`."""
    text = ast.parse(path.read_text())
    for node in ast.walk(text):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= ALLOWED | {"jax"}
        elif isinstance(node, ast.ImportFrom):
            inside = str(node.module).startswith("manual_grads.derivatives")
            assert inside or node.module in ALLOWED
    assert attributes_used(path, "jax") <= {"jit", "tree"}


def tracked():
    listed = subprocess.run(
        ["git", "ls-files"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("this folder is not a git checkout, so its files cannot be listed")
    return [Path(name) for name in listed.stdout.splitlines()]


def test_the_top_level_is_exactly_the_packages_and_three_files():
    top = {path.parts[0] for path in tracked()}
    plain = {name for name in top if not name.startswith(".")}
    assert plain == {*PACKAGES, "tests", "pyproject.toml", "README.md", "LICENSE"}


def test_no_file_is_longer_than_300_lines():
    lengths = {
        path: len((ROOT / path).read_text().splitlines())
        for path in tracked()
        if path.suffix == ".py" and (ROOT / path).exists()
    }
    assert {path: length for path, length in lengths.items() if length > 300} == {}


def test_every_folder_of_tests_has_the_name_of_what_it_tests():
    for folder in (ROOT / "tests").rglob("*"):
        if (folder / "__init__.py").exists() and folder.name != "campaigns":
            assert (ROOT / folder.relative_to(ROOT / "tests") / "__init__.py").exists()
