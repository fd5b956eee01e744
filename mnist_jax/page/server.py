"""The server of the page: its routes, and the requests that they refuse.

No request reads or writes a file, or changes the answers to other requests.
"""

import asyncio
import functools
import ipaddress
import json
from pathlib import Path

import msgspec
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mnist_jax.page.answers import Network, Question, UnanswerableError, answer, described

MOST_BYTES = 2**17
SECONDS_TO_SEND = 10
AT_ONCE = 2
"""The maximum number of answers computed at the same time; further requests wait."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
SENTENCES = {
    404: "This server has two addresses: / is the page, and /derivatives answers its requests.",
    405: "Ask for the page with GET, and for derivatives with POST.",
}


def application(network: Network, host: str = "127.0.0.1") -> Starlette:
    """The ASGI application that serves the page of `network` at the address `host`."""
    description = json.dumps(described(network)).replace("<", "\\u003c")
    text = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    html = text.replace("NETWORK", description, 1)
    limiter: list[CapacityLimiter] = []

    async def page(request: Request) -> Response:
        return HTMLResponse(html, headers=HEADERS)

    async def derivatives(request: Request) -> Response:
        _require_own_origin(request)
        question = _read(await _body(request))
        if not limiter:
            limiter.append(CapacityLimiter(AT_ONCE))  # needs a running event loop
        work = functools.partial(answer, network, question)
        try:
            numbers = await to_thread.run_sync(work, limiter=limiter[0])
        except UnanswerableError as reason:
            raise HTTPException(422, str(reason)) from None
        return _json(numbers)

    return Starlette(
        routes=[Route("/", page), Route("/derivatives", derivatives, methods=["POST"])],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts(host))],
        exception_handlers={HTTPException: _refuse},
    )


def hosts(host: str) -> list[str]:
    """The host names allowed in requests: any (`*`) if other machines can reach `host`.

    The restriction prevents DNS rebinding: another site can make its own host name resolve to
    127.0.0.1. Without the restriction, that site's page could then reach this server.
    """
    return ["127.0.0.1", "localhost", host] if is_loopback(host) else ["*"]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _require_own_origin(request: Request) -> None:
    """Refuses requests from other sites' pages, and content other than JSON."""
    origin, own = request.headers.get("origin"), f"http://{request.headers.get('host')}"
    if origin not in (None, own):  # only browsers send an origin
        raise HTTPException(403, f"Only the page at {own} may ask; this came from another origin.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "The content type must be application/json.")


async def _body(request: Request) -> bytes:
    """The request's body. Refuses a request that is too long, too slow or incomplete."""
    body = bytearray()
    try:
        async with asyncio.timeout(SECONDS_TO_SEND):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise HTTPException(413, f"A request may have at most {MOST_BYTES:,} bytes.")
    except TimeoutError:
        raise HTTPException(408, f"A request must arrive in {SECONDS_TO_SEND} seconds.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The connection ended before the request was complete.") from None
    return bytes(body)


def _read(body: bytes) -> Question:
    try:
        return msgspec.json.decode(body, type=Question)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"The request does not have the expected form: {error}.") from None


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, HEADERS, "application/json")


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": SENTENCES.get(error.status_code, error.detail)}, error.status_code)
