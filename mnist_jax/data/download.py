"""Downloading published files into the cache, from the first mirror that serves them well."""

import time
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pooch

from mnist_jax import progress
from mnist_jax.data.published import Published, PublishedFile

REACH_SECONDS = 6.0
"""For reaching any mirror at all: the look-up of its name, the connection and its first answer."""


class DownloadError(Exception):
    """No mirror served the files; its text says why, mirror by mirror."""


def download(
    published: Published,
    files: list[PublishedFile],
    folder: Path,
    reach_seconds: float = REACH_SECONDS,
) -> None:
    """Brings `files` into `folder`. Raises `DownloadError`, and `OSError` if it cannot be made.

    Each file is written beside its place, held against its published sum, and only then renamed
    into it; so a file that can be seen is whole, and two processes may do this at once.
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
                with progress.download(f"{file.gz} from {mirror}") as bar:
                    _retrieve(mirror + file.gz, file, folder, bar, timeout=reach_seconds)
            return
        except TimeoutError:
            reasons[mirror] = f"no answer within {reach_seconds:g} s"
        except OSError as error:
            reasons[mirror] = _root_cause(error)
        except ValueError:  # pooch's word for a sum that does not match
            reasons[mirror] = "it served something else than the published file"
    raise DownloadError("; ".join(f"{urlsplit(url).netloc}: {why}" for url, why in reasons.items()))


def _retrieve(url: str, file: PublishedFile, folder: Path, bar, timeout: float) -> None:
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16, timeout=timeout)
    pooch.retrieve(
        url,
        known_hash=file.compressed,
        fname=file.gz,
        path=folder,
        downloader=downloader,  # pyright: ignore[reportArgumentType] - pooch's protocol asks for a default it never uses
    )


def _ask(url: str, timeout: float) -> "Future[bool]":
    """Whether `url` can be had, asked in a thread of its own: no look-up of a name has a deadline.

    The thread is a daemon, so that one that hangs does not keep the process alive.
    """
    answer: Future[bool] = Future()

    def ask():
        try:
            head = pooch.HTTPDownloader(timeout=timeout)
            answer.set_result(bool(head(url, "", None, check_only=True)))
        except Exception as error:  # carried to the caller, who reads the result
            answer.set_exception(error)

    Thread(target=ask, daemon=True).start()
    return answer


def _root_cause(error: BaseException) -> str:
    """The innermost reason, for requests wraps what the operating system said several times."""
    inner = (getattr(error, "reason", None), error.__cause__, *error.args)
    causes = [cause for cause in inner if isinstance(cause, BaseException)]
    if causes:
        return _root_cause(causes[0])
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
