"""A service that answers HTTP, by the application's own client of httpx."""

import copy
import json
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Literal, cast

from ..core.result import Result, healthy, unhealthy
from ._support.arguments import require_whole
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.httpx_client import pool_of, reason
from ._support.pool import Usage

if TYPE_CHECKING:
    import httpx

READ = 65536
"""Bytes that are read of an answer. What has more is cut off, and its connection closed."""


@catalogued(
    technology="HTTP",
    extra="http",
    asked="`HEAD` or `GET` of the URL, without following redirects; while the pool of the client is exhausted, on a "
    "connection beside it",
    costs="one request. While the pool is exhausted: one connection more, opened and closed",
    privileges="those of the client",
)
def httpx_url(
    client: "ClientOrFactory[httpx.AsyncClient]",
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
    for another method and for what is no status, one of both for members that JSON cannot hold. No message shows the
    URL, which may hold a password.
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
    wanted = None if members is None else {name: _wanted(name, value) for name, value in members.items()}

    async def ask() -> Result:
        client = get()
        if client.is_closed:
            raise ClientError("the client is closed")
        body: bytes | None
        request = client.build_request(method, url)
        usage, beside = _usage(client, request.url)
        try:
            async with AsyncExitStack() as stack:
                if beside is not None:
                    client = await stack.enter_async_context(beside)
                answer = await client.send(request, stream=True, follow_redirects=False)
                stack.push_async_callback(answer.aclose)
                body = await _beginning(answer)
        except httpx.HTTPStatusError as error:  # by a hook of the client; its text shows the URL
            answer = error.response
            if answer.request is not request:  # the client's auth had to ask for something first
                return unhealthy(f"a request of the client's own was answered by {answer.status_code}")
            body = answer.content if answer.is_stream_consumed else None  # the client has closed it
        except (httpx.NetworkError, httpx.LocalProtocolError) as error:
            return unhealthy(reason(error))
        if answer.status_code not in statuses:
            return unhealthy(f"{method} was answered by {answer.status_code}, expected {expected}")
        if wanted is not None and (wrong := _wrong(body, wanted)):
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


def _usage(client: "httpx.AsyncClient", url: "httpx.URL") -> "tuple[Usage | None, httpx.AsyncClient | None]":
    """Return how full the pool is, and while it is exhausted a client like this one with a connection of its own.

    Nothing, where the transport is no pool or does not look as expected: then the request waits its turn.
    """
    import httpcore
    import httpx

    found = pool_of(client, url)
    if found is None:
        return None, None
    transport, usage = found
    if not usage.exhausted:
        return usage, None
    origin = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/").origin
    line = copy.copy(transport)
    line._pool = transport._pool.create_connection(origin)  # a connection takes requests, and is closed, as a pool is
    # The rest of what the client was told is in the request already.
    return usage, httpx.AsyncClient(transport=line, auth=client.auth, event_hooks=client.event_hooks, trust_env=False)


async def _beginning(answer: "httpx.Response") -> bytes:
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > READ:
            break
    return body


def _wanted(name: str, value: object) -> str:
    try:
        return json.dumps(json.loads(json.dumps(value, allow_nan=False), parse_float=_number), sort_keys=True)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"httpx_url: members: {name}: JSON cannot hold the value: {error}") from None


def _number(text: str) -> float | int:
    # Texts are compared, for to Python true is 1; and to JSON 1.0 is 1.
    number = float(text)
    return int(number) if number.is_integer() else number


def _wrong(body: bytes | None, wanted: Mapping[str, str]) -> str:
    """Return what is wrong with the answer, or nothing."""
    if body is None:
        return "the answer could not be read: a hook of the client raised HTTPStatusError"
    try:
        found: object = json.loads(body, parse_float=_number)
    except ValueError:
        return f"the answer is no JSON of at most {READ} bytes"
    if not isinstance(found, dict):
        return "the answer is JSON, but no object"
    answered = cast("dict[str, object]", found)
    for name, expected in wanted.items():
        if name not in answered:
            return f"the answer has no {name}"
        if (value := json.dumps(answered[name], sort_keys=True)) != expected:
            return f"{name} is {value[:80]} in the answer, expected {expected}"
    return ""
