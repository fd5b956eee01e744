"""Tests of the folder in which commands save compiled programs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from manual_grads.cli import compilation_cache
from tests import ROOT

VARIABLES = (*compilation_cache.VARIABLES, "JAX_ENABLE_COMPILATION_CACHE")
PROGRAM = """
import sys
from dataclasses import dataclass
from manual_grads.cli import command

@dataclass(frozen=True)
class Options:
    pass

def work(options):
    import jax
    print(float(jax.jit(lambda x: x * 3 + 1)(jax.jit(jax.numpy.negative)(-2.0))))

command.leave(command.run(work, Options, "", sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def no_other_cache(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def run(*words, program=PROGRAM):
    """Runs a command that compiles two programs, and returns the finished process."""
    ran = subprocess.run(
        [sys.executable, "-c", program, *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines()[-1] == "7.0"
    return ran


def programs(folder):
    return sorted(path.name for path in Path(folder).rglob("jit_*-cache"))


def test_a_command_keeps_its_programs_in_the_users_cache_and_loads_them_again():
    run()
    kept = programs("cache")
    assert any("lambda" in name for name in kept)
    again = run()
    assert programs("cache") == kept
    assert again.stderr == ""


def test_a_command_that_imports_jax_first_keeps_its_programs_too():
    run(program="import jax" + PROGRAM)
    assert any("lambda" in name for name in programs("cache"))


def test_none_keeps_nothing():
    run("--compilation_cache=none")
    assert programs(".") == []


def test_a_named_folder_that_cannot_be_used_is_not_replaced_by_another(monkeypatch):
    Path("file").touch()
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "another")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    run("--compilation_cache=file")
    assert programs(".") == []


def test_a_named_folder_is_made_and_nobody_else_can_write_to_it():
    run("--compilation_cache=here/it")
    assert any("lambda" in name for name in programs("here/it"))
    assert Path("here/it").stat().st_mode & 0o077 == 0


def test_the_users_own_variable_goes_before_the_users_cache(monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "own")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    run()
    assert programs("own")
    assert not Path("cache/mnist_jax").exists()


def test_damaged_programs_cost_one_line_and_are_replaced():
    run("--compilation_cache=here")
    kept = [*Path("here").glob("*-cache")]
    for content in (b"", b"torn", os.urandom(3000)):
        for path in kept:
            path.write_bytes(content)
        damaged = run("--compilation_cache=here")
        assert len((damaged.stdout + damaged.stderr).splitlines()) == 2
        assert damaged.stdout.startswith("compiling anew, ")
        assert all(path.read_bytes() != content for path in kept)
    again = run("--compilation_cache=here")
    assert (again.stdout, again.stderr) == ("7.0\n", "")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Path("here").write_text("a file"),
        lambda: (Path("here").mkdir(), Path("here").chmod(0o777)),
        lambda: Path("here").symlink_to("/proc/nowhere"),
    ],
    ids=["a file", "others can write", "a link to nowhere"],
)
def test_a_folder_that_cannot_be_used_costs_one_line(make):
    make()
    ran = run("--compilation_cache=here")
    assert ran.stderr == ""
    first, last = ran.stdout.splitlines()
    assert first.startswith(f"not using the cache of compiled programs in {Path.cwd()}/here")
    assert last == "7.0"
    assert not Path("here").is_dir() or list(Path("here").iterdir()) == []


def test_a_folder_that_becomes_full_is_emptied_of_its_oldest_files(monkeypatch):
    monkeypatch.setattr(compilation_cache, "MOST_BYTES", 100)
    folder = Path("here")
    folder.mkdir(mode=0o700)
    for age, name in enumerate("abcdef"):
        (folder / name).write_bytes(bytes(20))
        os.utime(folder / name, (1000 - age, 1000 - age))
    monkeypatch.setattr(compilation_cache, "_set", lambda variables: None)
    monkeypatch.setattr(compilation_cache, "_say_only_once", lambda folder, say: None)
    compilation_cache.use("here", print)
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]


def test_importing_the_packages_sets_nothing():
    code = "import os, mnist_jax, manual_grads, mnist_jax.train, manual_grads.check\n"
    code += f"assert not set({VARIABLES}) & set(os.environ)"
    subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True
    )
