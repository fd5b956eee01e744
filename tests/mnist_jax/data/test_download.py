"""Downloads from local servers: the folder only ever shows complete, verified files."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock
from urllib.parse import urlsplit

import pytest

from mnist_jax.data import published
from mnist_jax.data.download import REACH_SECONDS, DownloadError, download
from tests import ROOT
from tests.mnist_jax.data import small_mnist


class Handler(BaseHTTPRequestHandler):
    """Serves `files` by name; `behaviour` names the way in which it misbehaves."""

    def __init__(self, files, behaviour, *args):
        self.files, self.behaviour = files, behaviour
        super().__init__(*args)

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        content = self.answer()
        if self.behaviour == "breaks off":
            content = content[: len(content) // 2]
        if self.behaviour == "stalls":
            time.sleep(3)
        if self.behaviour == "is slow":
            time.sleep(0.05)
        self.wfile.write(content)

    def answer(self) -> bytes:
        content = self.files.get(self.path.removeprefix("/"))
        if content is None:
            self.send_error(404)
            return b""
        if self.behaviour == "serves something else":
            content = bytes(len(content))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content

    def log_message(self, format, *args):  # noqa: A002 - http.server's name for it
        pass


@contextlib.contextmanager
def mirror(behaviour="serves well", files=None):
    """Runs a local server and yields its address."""
    files = small_mnist.compressed() if files is None else files
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, files, behaviour))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def silent_mirror():
    """Runs a local server that accepts connections and never answers; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@contextlib.contextmanager
def dead_mirror():
    """The address of a port where no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    yield address


def fetch(folder, *mirrors, reach_seconds=5.0):
    table = small_mnist.published(*mirrors)
    download(table, list(table.files), folder, reach_seconds)


def in_folder(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_mirror_fills_the_folder_with_the_published_files(tmp_path):
    with mirror() as address:
        fetch(tmp_path / "cache", address)
    assert in_folder(tmp_path / "cache") == small_mnist.compressed()
    published.read(small_mnist.published(), tmp_path / "cache")


BAD_MIRRORS = {
    "is dead": dead_mirror,
    "lacks the files": partial(mirror, files={}),
    "breaks off": partial(mirror, "breaks off"),
    "serves something else": partial(mirror, "serves something else"),
    "lacks the last file": partial(mirror, files=dict(list(small_mnist.compressed().items())[:3])),
}


@pytest.mark.parametrize("bad", BAD_MIRRORS.values(), ids=BAD_MIRRORS.keys())
def test_the_next_mirror_replaces_a_bad_one(tmp_path, bad):
    with bad() as first, mirror() as second:
        fetch(tmp_path / "cache", first, second)
    assert in_folder(tmp_path / "cache") == small_mnist.compressed()


def test_the_next_mirror_replaces_a_silent_one(tmp_path):
    with silent_mirror() as first, mirror() as second:
        fetch(tmp_path / "cache", first, second, reach_seconds=0.5)
    assert in_folder(tmp_path / "cache") == small_mnist.compressed()


REASONS = {
    "is dead": "Connection refused",
    "lacks the files": "it does not have the files",
    "breaks off": "IncompleteRead|more expected",
    "serves something else": "it served a file with a wrong checksum",
    "lacks the last file": "404",
}


@pytest.mark.parametrize("bad", BAD_MIRRORS)
def test_bad_mirrors_alone_are_an_error_and_leave_only_whole_files(tmp_path, bad):
    with (
        BAD_MIRRORS[bad]() as first,
        BAD_MIRRORS[bad]() as second,
        pytest.raises(DownloadError) as failure,
    ):
        fetch(tmp_path / "cache", first, second)
    reasons = [reason.split(": ", 1) for reason in str(failure.value).split("; ")]
    assert [host for host, _ in reasons] == [urlsplit(first).netloc, urlsplit(second).netloc]
    for _, why in reasons:
        assert re.search(REASONS[bad], why)
    assert in_folder(tmp_path / "cache").items() <= small_mnist.compressed().items()


def test_a_mirror_that_stalls_is_left_for_the_next(tmp_path):
    with mirror("stalls") as first, mirror() as second:
        started = time.monotonic()
        fetch(tmp_path / "cache", first, second, reach_seconds=0.5)
        assert time.monotonic() - started < 2.5
    assert in_folder(tmp_path / "cache") == small_mnist.compressed()


def test_the_deadline_is_six_seconds():
    assert REACH_SECONDS == 6


def test_a_look_up_that_hangs_keeps_no_process_alive():
    program = """
import socket, time
socket.getaddrinfo = lambda *arguments, **options: time.sleep(60)
from pathlib import Path
from unittest import mock
from tests import ROOT
from tests.mnist_jax.data import small_mnist
from mnist_jax.data.download import REACH_SECONDS, DownloadError, download
table = small_mnist.published("http://mirror.example/")
try:
    download(table, list(table.files), Path("cache"), 0.2)
except DownloadError as failure:
    print(failure)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env=environment, capture_output=True, text=True, timeout=30, check=True,
    ).stdout  # fmt: skip
    assert printed == "mirror.example: no answer within 0.2 s\n"


def test_one_deadline_holds_for_silent_mirrors_and_four_files_together(tmp_path):
    started = time.monotonic()
    with (
        silent_mirror() as first,
        silent_mirror() as second,
        pytest.raises(DownloadError, match=r"no answer within 0\.5 s"),
    ):
        fetch(tmp_path / "cache", first, second, reach_seconds=0.5)
    assert time.monotonic() - started < 1.0


def test_the_deadline_holds_for_the_look_up_of_a_name(tmp_path, monkeypatch):
    asked = threading.Event()

    def look_up(*args, **kwargs):
        asked.set()
        time.sleep(3)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    started = time.monotonic()
    with pytest.raises(DownloadError, match=r"no answer within 0\.3 s"):
        fetch(tmp_path / "cache", "http://mirror.example/", reach_seconds=0.3)
    assert time.monotonic() - started < 1.0
    assert asked.is_set()


def test_two_that_download_at_once_do_not_harm_each_other(tmp_path):
    failures = []

    def one():
        try:
            fetch(tmp_path / "cache", address)
        except Exception as failure:
            failures.append(failure)

    with mirror("is slow") as address:
        both = [threading.Thread(target=one) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
    assert failures == []
    assert in_folder(tmp_path / "cache") == small_mnist.compressed()


@pytest.mark.parametrize("terminal", [False, True])
def test_a_download_is_reported_in_lines_and_on_a_terminal_by_a_bar(tmp_path, terminal, capsys):
    with mirror() as address, mock.patch("sys.stderr.isatty", return_value=terminal):
        fetch(tmp_path / "cache", address)
    printed = capsys.readouterr()
    named = [f"downloading {name} from {address}" for name in small_mnist.compressed()]
    assert printed.out.splitlines() == named
    assert ("100%" in printed.err) == terminal
