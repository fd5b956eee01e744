"""Downloads published files into the cache, from the first mirror that serves all of them."""

import sys
import time
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import urlsplit

import pooch

from manual_grads.cli import command
from mnist_jax.background import started
from mnist_jax.data.published import Published, PublishedFile

REACH_SECONDS = 6.0
"""Time limit for the DNS lookup, connection and first response of all mirrors together."""


class DownloadError(Exception):
    """No mirror served the files. The message gives the reason for each mirror."""


def download(
    published: Published,
    files: list[PublishedFile],
    folder: Path,
    reach_seconds: float = REACH_SECONDS,
) -> None:
    """Downloads `files` into `folder`. Raises `DownloadError`, or `OSError` from making `folder`.

    Each file is downloaded under a temporary name, and renamed after its checksum is verified. So a
    file with its final name is complete, and two processes may download at the same time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")
    deadline = time.monotonic() + reach_seconds
    answers = {mirror: _ask(mirror + files[0].gz, reach_seconds) for mirror in published.mirrors}
    reasons = {}
    for mirror, answer in answers.items():
        try:
            if not answer.result(timeout=max(0.0, deadline - time.monotonic())):
                raise ConnectionError("it does not have the files")
            for file in files:
                command.say(f"downloading {file.gz} from {mirror}")
                _retrieve(mirror + file.gz, file, folder, timeout=reach_seconds)
            return
        except TimeoutError:
            reasons[mirror] = f"no answer within {reach_seconds:g} s"
        except OSError as error:
            reasons[mirror] = _root_cause(error)
        except ValueError:  # pooch raises it if the checksum differs
            reasons[mirror] = "it served a file with a wrong checksum"
    raise DownloadError("; ".join(f"{urlsplit(url).netloc}: {why}" for url, why in reasons.items()))


def _retrieve(url: str, file: PublishedFile, folder: Path, timeout: float) -> None:
    bar = sys.stderr.isatty()
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16, timeout=timeout)
    pooch.retrieve(
        url,
        known_hash=file.compressed,
        fname=file.gz,
        path=folder,
        downloader=downloader,  # pyright: ignore[reportArgumentType] - pooch's protocol asks for a default it never uses
    )


def _ask(url: str, timeout: float) -> Future[bool]:
    """Asks whether `url` exists, in a thread because a DNS lookup accepts no time limit."""
    ask = pooch.HTTPDownloader(timeout=timeout)
    return started(lambda: bool(ask(url, "", None, check_only=True)))


def _root_cause(error: BaseException) -> str:
    """The message of the innermost error; `requests` wraps an error several times."""
    inner = (getattr(error, "reason", None), error.__cause__, *error.args)
    causes = [cause for cause in inner if isinstance(cause, BaseException)]
    if causes:
        return _root_cause(causes[0])
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
