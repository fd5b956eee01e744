"""Serves a local page that shows the network's answer to a drawing, and the cost's derivatives.

    python -m mnist_jax.page --workdir=runs/base

Needs the extra `page`: pip install '.[page]'. The page never changes the run.
"""

import contextlib
import importlib.util
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from manual_grads.cli import A_PATH, ANY, InputError, OptionError, Rule, command, options, paths
from mnist_jax import runs, training

PORT = Rule("be at least 0 and at most 65,535", lambda port: 0 <= port <= 65_535)
PACKAGES = ("starlette", "uvicorn", "msgspec")


@dataclass(frozen=True)
class Options:
    """The options of the command."""

    workdir: Annotated[
        str | None, "the directory of a completed run; the newest under runs/ if not given", A_PATH
    ] = None
    host: Annotated[
        str,
        "the address that the page is served at; with 0.0.0.0, other machines can reach it",
        ANY,
    ] = "127.0.0.1"
    port: Annotated[int, "the port of the page; 0 takes any free port", PORT] = 8000

    def __post_init__(self):
        options.check(self)


class AddressError(OptionError):
    """The page cannot be served at this host and port."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the arguments `argv` and returns its exit status."""
    return command.run(serve, Options, __doc__, argv)


def serve(chosen: Options) -> None:
    """Loads the run, compiles everything that an answer needs, and serves the page."""
    if not all(map(importlib.util.find_spec, PACKAGES)):
        raise InputError(
            f"the page needs the packages {', '.join(PACKAGES)}",
            "not all of them are installed",
            "pip install --editable '.[page]'",
        )
    import uvicorn

    from mnist_jax.page import answers, server

    with contextlib.closing(listening(chosen.host, chosen.port)) as listener:
        workdir = paths.of_user(chosen.workdir) if chosen.workdir else runs.newest()
        command.say(f"loading {workdir}")
        training.require_device()
        runs.directory.require_plain(workdir)
        network = answers.network(workdir.resolve().name, runs.load(workdir))
        answers.warm_up(network)
        address = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
        command.say(
            f"the page is at http://{address}:{listener.getsockname()[1]}/  (Ctrl-C ends it)"
        )
        config = uvicorn.Config(
            server.application(network, chosen.host),
            log_level="warning",
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        uvicorn.Server(config).run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens at the address. Raises `AddressError`, which names a free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY, which sends small answers at once, only if a protocol is given
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise AddressError(
            "--host and --port must be an address of this machine that no other program uses",
            f"--host={host} --port={port}: {error.strerror or error}",
            f"--port={free_port()}, which is free at 127.0.0.1",
        ) from None
    return listener


def free_port() -> int:
    """A port that is free at 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    command.leave(main())
