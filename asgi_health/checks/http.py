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

MAX_BODY_BYTES = 65536
"""The most bytes that are read of a body. A longer body is cut off, and its connection closed."""


@catalogued(
    technology="HTTP",
    extra="http",
    asked="`HEAD` or `GET` of the URL, without following redirects; while the pool of the client is exhausted, on an "
    "extra connection",
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
    """Return a check of the response to one request.

    Ask a service for its own health endpoint, and only where this application can do nothing without that service:
    failures that spread from service to service take all of them down. No message shows the URL, which may hold a
    password.

    Args:
        client: The AsyncClient of httpx, or a function that returns it.
        url: The URL. It may be relative to the base URL of the client.
        method: The method of the request. With `members` it is GET.
        statuses: The status codes that are healthy.
        members: Members that the body must have, such as ``{"status": "ok"}``. The body must be a JSON object of at
            most 65,536 bytes. None: the body is not looked at.

    Raises:
        ModuleNotFoundError: httpx is not installed.
        TypeError: `client` is another kind of client, or an argument is of another type.
        ValueError: `url` cannot be such a URL, `method` is another one, `statuses` is empty or holds what is no status
            code, or JSON cannot hold `members`.
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
    expected_members = None if members is None else {name: _as_json(name, value) for name, value in members.items()}

    async def check() -> Result:
        client = get()
        if client.is_closed:
            raise ClientError("the client is closed")
        body: bytes | None
        request = client.build_request(method, url)
        usage, extra = _usage(client, request.url)
        try:
            async with AsyncExitStack() as stack:
                if extra is not None:
                    client = await stack.enter_async_context(extra)
                answer = await client.send(request, stream=True, follow_redirects=False)
                stack.push_async_callback(answer.aclose)
                body = await _read_body(answer)
        except httpx.HTTPStatusError as error:  # raised by a hook of the client; its text shows the URL
            answer = error.response
            if answer.request is not request:  # a request that the auth of the client made first
                return unhealthy(f"a request of the client's own was answered by {answer.status_code}")
            body = answer.content if answer.is_stream_consumed else None  # the client has closed it
        except (httpx.NetworkError, httpx.LocalProtocolError) as error:
            return unhealthy(reason(error))
        if answer.status_code not in statuses:
            return unhealthy(f"{method} was answered by {answer.status_code}, expected {expected}")
        if expected_members is not None and (difference := _difference(body, expected_members)):
            return unhealthy(difference)
        return usage.answered() if usage is not None else healthy()

    return check


def _require_url(url: object) -> None:
    import httpx

    if not isinstance(url, str):
        raise TypeError(f"httpx_url: url must be a string, not one of {type(url).__qualname__}")
    expected = "http or https, :// and a host, or a path below the base URL of the client"
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        # The text of the error may show a part of the password: what follows "user:" up to a / is read as the port.
        raise ValueError(f"httpx_url: url must be {expected}; a / in a password is written as %2F") from None
    absolute = parsed.scheme in ("http", "https") and bool(parsed.host)
    if not absolute and (parsed.scheme or parsed.host):
        raise ValueError(f"httpx_url: url must be {expected}")


def _usage(client: "httpx.AsyncClient", url: "httpx.URL") -> "tuple[Usage | None, httpx.AsyncClient | None]":
    """Return the usage of the pool, and while it is exhausted a client like this one with a connection of its own.

    Both are None where the usage cannot be seen. Then the request waits until the pool has a connection.
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
    extra = copy.copy(transport)
    extra._pool = transport._pool.create_connection(origin)  # a connection has the interface of a pool
    # The other settings of the client are in the request already.
    return usage, httpx.AsyncClient(transport=extra, auth=client.auth, event_hooks=client.event_hooks, trust_env=False)


async def _read_body(answer: "httpx.Response") -> bytes:
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > MAX_BODY_BYTES:
            break
    return body


def _as_json(name: str, value: object) -> str:
    try:
        return json.dumps(json.loads(json.dumps(value, allow_nan=False), parse_float=_number), sort_keys=True)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"httpx_url: members: {name}: JSON cannot hold the value: {error}") from None


def _number(text: str) -> float | int:
    # Values are compared as JSON text: true equals 1 in Python and not in JSON, 1.0 equals 1 in both.
    number = float(text)
    return int(number) if number.is_integer() else number


def _difference(body: bytes | None, expected_members: Mapping[str, str]) -> str:
    """Return how the body differs from what is expected; empty where it does not."""
    if body is None:
        return "the answer could not be read: a hook of the client raised HTTPStatusError"
    try:
        found: object = json.loads(body, parse_float=_number)
    except ValueError:
        return f"the answer is no JSON of at most {MAX_BODY_BYTES} bytes"
    if not isinstance(found, dict):
        return "the answer is JSON, but no object"
    answered = cast("dict[str, object]", found)
    for name, expected in expected_members.items():
        if name not in answered:
            return f"the answer has no {name}"
        if (value := json.dumps(answered[name], sort_keys=True)) != expected:
            return f"{name} is {value[:80]} in the answer, expected {expected}"
    return ""
