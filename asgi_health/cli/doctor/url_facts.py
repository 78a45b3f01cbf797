"""Ask a served app what its health paths answer, as a client without credentials."""

import http.client
import json
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ...asgi.paths import Paths
from ...core.status import Probe
from ...formats.redact.clean import one_line
from ..connection import Deadline, Unreachable, connect, explain, start_tls
from ..http_response import BODY_LIMIT
from ..target import Target

REQUEST_TIMEOUT = 10.0
"""Seconds for one request."""


class CannotAsk(Exception):
    """The server cannot be reached, or speaks no HTTP; the text says why."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer.

    Attributes:
        path: The path.
        status: The status of the answer.
        headers: Its headers, by lower case names.
        body: The beginning of its body.
        seconds: Seconds from the beginning of the connection to the end of the answer.
    """

    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def is_answer(self) -> bool:
        """Whether it has a status with which the health layer answers a probe."""
        return self.status in (200, 503)

    @property
    def document(self) -> dict[str, Any]:
        """The object that the body holds as JSON; empty for another one."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class UrlFacts:
    """What the paths of a served app answer.

    Attributes:
        probes: The answer to GET for each probe: of the first of its default paths that is not a 404.
        head: The answer to HEAD for readiness.
        unknown: The answer for a path below liveness that no app has.
        prober_timeout: Seconds after which the prober gives up.
    """

    probes: Mapping[Probe, Exchange]
    head: Exchange
    unknown: Exchange
    prober_timeout: float


def ask(target: Target, prober_timeout: float, *, insecure: bool) -> UrlFacts:
    """Return what the paths below `target` answer. Raises CannotAsk."""
    paths, prefix = Paths(), _prefix(target.path)

    def request(method: str, path: str) -> Exchange:
        return _exchange(target, method, f"{prefix}{path}", insecure=insecure)

    def first(probe: Probe) -> Exchange:
        exchanges = [request("GET", path) for path in paths.of(probe)[:1]]
        for path in paths.of(probe)[1:]:
            if exchanges[-1].status == 404:
                exchanges.append(request("GET", path))
        return exchanges[-1] if exchanges[-1].status != 404 else exchanges[0]

    probes = {probe: first(probe) for probe in Probe}
    below = probes[Probe.LIVENESS].path.removeprefix(prefix)
    return UrlFacts(
        probes,
        request("HEAD", probes[Probe.READINESS].path.removeprefix(prefix)),
        request("GET", f"{below}/asgi-health-doctor-{secrets.token_hex(4)}"),
        prober_timeout,
    )


def _prefix(path: str) -> str:
    """Return where the app is mounted: the path of the URL, without the health path at its end."""
    path = path.partition("?")[0].rstrip("/")
    for each in sorted(Paths().all, key=len, reverse=True):
        if path.endswith(each):
            return path.removesuffix(each)
    return path


def _exchange(target: Target, method: str, path: str, *, insecure: bool) -> Exchange:
    deadline = Deadline(REQUEST_TIMEOUT)
    began = time.monotonic()
    try:
        plain = connect(target, deadline)
        stream = (
            start_tls(plain, target.host, insecure=insecure, deadline=deadline)
            if target.secure
            else socket.socket(fileno=plain.detach())
        )
        with stream:
            stream.settimeout(deadline.remaining())
            connection = http.client.HTTPConnection(target.authority)
            connection.sock = stream
            headers = {"Host": target.authority, "Accept": "application/json, */*;q=0.1", "Connection": "close"}
            connection.request(method, path, headers=headers | {"User-Agent": "asgi-health"})
            with connection.getresponse() as response:
                body = response.read(BODY_LIMIT)
                found = {name.lower(): one_line(value) for name, value in response.getheaders()}
    except TimeoutError:
        raise CannotAsk(f"{method} {path}: timed out after {REQUEST_TIMEOUT:g} s") from None
    except OSError as error:
        raise CannotAsk(explain(error)) from None
    except Unreachable as error:
        raise CannotAsk(str(error)) from None
    except http.client.HTTPException as error:
        raise CannotAsk(f"expected an HTTP/1.1 answer, got {str(error)[:40]!a}") from None
    return Exchange(path, response.status, found, body, time.monotonic() - began)
