"""A service that answers HTTP, by the application's own client of httpx."""

import copy
import json
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Literal, cast

from ..core.result import Result, describe, healthy, unhealthy
from .address import require_whole
from .client import AsyncCheck, ClientError, Given, client_getter
from .driver import load
from .httpx_client import pool_of, root
from .pool import Usage
from .table import described

if TYPE_CHECKING:
    import httpx

READ = 65536
"""Bytes that are read of an answer. What has more is cut off, and its connection closed."""


@described(
    technology="HTTP",
    extra="http",
    asked="`HEAD` or `GET` of the URL, without following redirects; while the pool of the client is exhausted, on a "
    "connection beside it",
    costs="one request. While the pool is exhausted: one connection more, opened and closed",
    privileges="those of the client",
)
def httpx_url(
    client: "Given[httpx.AsyncClient]",
    url: str,
    *,
    method: Literal["HEAD", "GET"] = "HEAD",
    statuses: Collection[int] = (200, 204),
    members: Mapping[str, object] | None = None,
) -> AsyncCheck:
    """Return a check of `url`, which may be relative to the base URL of the client, an AsyncClient of httpx.

    It passes when the status of the answer is one of `statuses`; and with `members`, ``{"status": "ok"}``, when the
    answer to a GET is an object of JSON that has them. Its own health endpoint is what to ask a service for, and only
    where this one can do nothing without it: a failure that spreads from service to service takes all of them down.

    Raises ModuleNotFoundError without httpx, TypeError for another kind of client, ValueError for what is no such URL,
    for another method and for what is no status. No message shows the URL, which may hold a password.
    """
    httpx = load("httpx", extra="http")
    get = client_getter(client, httpx.AsyncClient, by="httpx_url", on_trio=True)
    _require_url(url)
    if method not in ("HEAD", "GET"):
        raise ValueError(f"httpx_url: method must be HEAD or GET, not {method!r}")
    for status in statuses:
        require_whole("httpx_url", "each of statuses", status, lowest=100, highest=599)
    if not statuses:
        raise ValueError("httpx_url: statuses must not be empty")
    few = len(statuses) < 5
    expected = " or ".join(map(str, statuses)) if few else f"one of {len(statuses)}: {min(statuses)} to {max(statuses)}"
    method = "GET" if members is not None else method

    async def ask() -> Result:
        client = get()
        if client.is_closed:
            raise ClientError("the client is closed")
        usage, beside = _usage(client, url)
        try:
            async with AsyncExitStack() as stack:
                if beside is not None:
                    client = await stack.enter_async_context(beside)
                answer = await stack.enter_async_context(client.stream(method, url, follow_redirects=False))
                body = await _beginning(answer)
        except httpx.NetworkError as error:
            return unhealthy(describe(root(error)))
        if answer.status_code not in statuses:
            return unhealthy(f"{method} was answered by {answer.status_code}, expected {expected}")
        if members is not None and (wrong := _wrong(body, members)):
            return unhealthy(wrong)
        return usage.answered() if usage is not None else healthy()

    return ask


def _require_url(url: object) -> None:
    import httpx

    if not isinstance(url, str):
        raise TypeError(f"httpx_url: url must be a string, not one of {type(url).__qualname__}")
    expected = "http or https, :// and a host, or a path below the base URL of the client"
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        # Its own text may show a part of the password: what follows user: up to a / is read as the port.
        raise ValueError(f"httpx_url: url must be {expected}; a / in a password is written as %2F") from None
    absolute = parsed.scheme in ("http", "https") and bool(parsed.host)
    if not absolute and (parsed.scheme or parsed.host):
        raise ValueError(f"httpx_url: url must be {expected}")


def _usage(client: "httpx.AsyncClient", url: str) -> "tuple[Usage | None, httpx.AsyncClient | None]":
    """Return how full the pool is, and while it is exhausted a client like this one with a connection of its own.

    Nothing, where the transport is no pool or does not look as expected: then the request waits its turn.
    """
    import httpcore
    import httpx

    request = client.build_request("GET", url)
    found = pool_of(client, request.url)
    if found is None:
        return None, None
    transport, usage = found
    if not usage.exhausted:
        return usage, None
    where = request.url
    origin = httpcore.URL(scheme=where.raw_scheme, host=where.raw_host, port=where.port, target=b"/").origin
    line = copy.copy(transport)
    line._pool = transport._pool.create_connection(origin)  # a connection takes requests, and is closed, as a pool is
    beside = httpx.AsyncClient(
        transport=line,
        base_url=client.base_url,
        auth=client.auth,
        headers=client.headers,
        cookies=client.cookies,
        params=client.params,
        timeout=client.timeout,
        trust_env=False,
    )
    return usage, beside


async def _beginning(answer: "httpx.Response") -> bytes:
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > READ:
            break
    return body


def _wrong(body: bytes, members: Mapping[str, object]) -> str:
    """Return what is wrong with the answer, or nothing."""
    try:
        found: object = json.loads(body)
    except ValueError:
        return f"the answer is no JSON of at most {READ} bytes"
    if not isinstance(found, dict):
        return "the answer is JSON, but no object"
    answered = cast("dict[str, object]", found)
    for name, value in members.items():
        if name not in answered:
            return f"the answer has no {name}"
        if answered[name] != value:
            return f"{name} is {json.dumps(answered[name])[:80]} in the answer, expected {json.dumps(value)}"
    return ""
