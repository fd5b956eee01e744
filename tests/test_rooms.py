"""The rooms of the house: who may import whom, what stands at the top, how large a file may be."""

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

STOREYS = (
    {"manual_grads/cli"},
    {"manual_grads/architecture", "manual_grads/leaves"},
    {"manual_grads/targets", "manual_grads/derivatives"},
    {"manual_grads/check/diagnosis"},
    {"manual_grads/check"},
    {"mnist_jax/config", "mnist_jax/clock", "mnist_jax/progress"},
    {"mnist_jax/model"},
    {"mnist_jax/data"},
    {"mnist_jax/runs"},
    {"mnist_jax/figures"},
    {"mnist_jax/training"},
    {"mnist_jax/train", "mnist_jax/evaluate"},
    {"experiments/common"},
    {"experiments/accuracy", "experiments/mistakes"},
    {"experiments/compare", "experiments/biases", "experiments/speed"},
)
"""From the ground up: a room imports from its own and from lower storeys only. A room is a folder,
or a file that lies beside folders."""

FREE = {"manual_grads/cli", "manual_grads/architecture", "manual_grads/leaves"}
FREE |= {"manual_grads/targets"}
"""Of manual_grads, the rooms without derivatives, which any file of mnist_jax may import."""

FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MODULES = [path for path in FILES if path.name != "__init__.py"]
FACES = [path for path in FILES if path.name == "__init__.py"]


def named(path):
    return str(path.relative_to(ROOT))


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def handed_out(package):
    """The names that a package's stub hands out, and the module that each comes from."""
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
    """Every `(package or module, name)` of ours that a file imports; a plain import has no name."""
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
    """The module that a name comes from, through as many faces as hand it on."""
    while is_package(module):
        if name is None:
            return module
        module, name = handed_out(module).get(name, f"{module}.{name}"), name
        if module.endswith(f".{name}"):
            return module
    return module


def room(module):
    """The room that a module lies in: the longest storey's name that begins its path."""
    path = module.replace(".", "/")
    rooms = [name for storey in STOREYS for name in storey]
    fitting = [name for name in rooms if path == name or path.startswith(f"{name}/")]
    return max(fitting, key=len, default=None)


def storey(name):
    return next(number for number, rooms in enumerate(STOREYS) if name in rooms)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_import_points_down_or_stays_in_its_room(path):
    here = room(module_of(path)) or ""
    for module, name in imports(path):
        there = room(source(module, name))
        if there is None:  # a whole package: what is used of it is a name that its face hands out
            assert is_package(source(module, name))
            used = faces_used(path, name or module)
            theirs = {room(source(source(module, name), each)) for each in used}
        else:
            theirs = {there}
        for other in theirs - {here, None}:
            assert storey(other) < storey(here), f"{module}.{name}"
            if here.startswith("mnist_jax") and str(other).startswith("manual_grads"):
                assert other in FREE or path.name == "gradients.py", f"{module}.{name}"


def test_no_files_import_each_other_in_a_circle():
    imported = {
        module_of(path): {source(module, name) for module, name in imports(path)}
        for path in MODULES
    }
    graphlib.TopologicalSorter(imported).prepare()


def faces_used(path, alias):
    """The attributes that a file takes of a package that it has imported under a name."""
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == alias
    }


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_code_outside_a_package_imports_what_its_face_hands_out(path):
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
            assert name in handed_out(module), f"{module} does not hand out {name}"
    for module, name in imports(path):
        package = f"{module}.{name}"
        if name is not None and is_package(package) and own[:-1] != package.split("."):
            missing = faces_used(path, name) - set(handed_out(package))
            assert not {each for each in missing if not is_package(f"{package}.{each}")}


@pytest.mark.parametrize("path", FACES, ids=named)
def test_every_package_says_what_lives_in_it(path):
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    inside = {
        each.stem
        for each in path.parent.iterdir()
        if (each.suffix == ".py" and each.stem != "__init__") or (each / "__init__.py").exists()
    }
    listed = set(re.findall(r"^(\w+)  +", text, re.MULTILINE))
    assert inside == listed
    assert len([name for name in inside if (path.parent / f"{name}.py").exists()]) <= 8


@pytest.mark.parametrize("path", FACES, ids=named)
def test_every_name_that_a_package_hands_out_is_there(path):
    package = importlib.import_module(module_of(path))
    for name in handed_out(module_of(path)):
        assert getattr(package, name) is not None


@pytest.mark.parametrize("name", [*PACKAGES, "mnist_jax.train", "manual_grads.cli"])
def test_importing_a_package_imports_neither_jax_nor_numpy(name):
    """So that a command takes signals and settings in hand before anything heavy is imported."""
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
    """Of jax itself only `jit` and `tree` are used, by the files that compare and refuse."""
    text = ast.parse(path.read_text())
    for node in ast.walk(text):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= ALLOWED | {"jax"}
        elif isinstance(node, ast.ImportFrom):
            inside = str(node.module).startswith("manual_grads.derivatives")
            assert inside or node.module in ALLOWED
    assert faces_used(path, "jax") <= {"jit", "tree"}


def tracked():
    listed = subprocess.run(
        ["git", "ls-files"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("this copy is no git checkout, so what belongs to it cannot be listed")
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
