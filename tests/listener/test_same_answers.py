"""The listener answers what the app answers: status, headers and body, byte for byte."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from anyio.from_thread import BlockingPortal

from asgi_health import (
    Check,
    Health,
    HealthMiddleware,
    Listener,
    Probe,
    Result,
    ServiceInfo,
    bearer_token,
    degraded,
    healthy,
)
from asgi_health.asgi.types import App

from ..servers.wire import Answer, Connection, request
from ..support.app_thread import running_app
from ..support.asgi_caller import Reply, ask, with_token
from ..support.known_state import Clock
from ..support.lifespan_apps import lifespan_app
from ..support.waiting import wait_until

TOKEN = "open-sesame"
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "get")
QUERIES = (
    "",
    "verbose",
    "verbose=0&x=%zz",
    "verbos",
    "strict",
    "group=payments",
    "format=html&group=shop",
    "format=atom",
    "format=badge&t=1",
    "format=text",
    "exclude=cache",
    "verbose&exclude=cache&exclude=mail",
    "format=text&exclude=cache&exclude=nope",
    f"verbose&exclude={'x' * 5000}",
)
PROBED = (
    *("/livez", "/readyz", "/startupz", "/health", "/health/live", "/health/ready", "/health/startup", "/healthz"),
    *("/readyz/", "/health/", "/%72eadyz", "/health%2Fready", "/readyz%2f"),
)
CHECKS = ("/health/ready/db", "/health/ready/db/", "/readyz/mail", "/livez/loop", "/health/ready/d%62")
OTHERS = (
    *("/", "/ordinary", "/READYZ", "/readyzz", "/a/readyz", "//readyz", "/readyz//", "/health/../readyz", "/readyz%00"),
    *("/health/ready/nope", "/livez/db", "/health/ready/db/more", "/health/db", "/%ff%fe", "/%", "/readyz%20"),
    *("*", "readyz", "ftp://localhost/readyz", "http:/readyz", "http:///readyz"),
)


@dataclass(frozen=True)
class Both:
    """One app, which gets each request through its loop and through its listener."""

    app: App
    portal: BlockingPortal
    address: str

    def through_the_app(self, target: str, method: str, token: bool) -> Reply:
        raw_path, _, query = target.partition("?")
        headers = with_token(TOKEN.encode()) if token else [(b"host", b"example.org")]
        asked = partial(ask, self.app, unquote(raw_path), method, query.encode(), headers=headers)
        return self.portal.call(asked)


@pytest.fixture(scope="module")
def both(folder: Path) -> Iterator[Both]:
    async def mail() -> Result:
        return degraded("slow, password=hunter2", data={"queue": (7, "mails")})

    def cache() -> None:
        raise ConnectionError("refused: redis://user:secret@cache/0 \N{SNOWMAN}")

    checks = [
        Check("db", lambda: healthy("fine", data={"pool": 3})),
        Check("cache", cache, critical=False, failure_threshold=1),
        Check("mail", mail),
        Check("loop", lambda: True, probes=(Probe.LIVENESS,)),
    ]
    health = Health(checks, clock=Clock(), random=lambda: 0.5)
    address = str(folder / "listener")
    app = HealthMiddleware(
        lifespan_app,
        health,
        details=bearer_token(TOKEN),
        service=ServiceInfo("shop", version="1.2", notes=("a note",)),
        listener=Listener(address),
    )
    with pytest.MonkeyPatch.context() as patch:
        # A fixed date, because answers are compared byte by byte.
        patch.setattr("asgi_health.asgi.details_cache.time", SimpleNamespace(time=lambda: 1_000_000_000.0))
        patch.setattr("asgi_health.runtime.loop_services.NOTICEABLE", 60.0)  # so that a busy machine changes no answer
        with running_app(app) as portal:
            wait_until(lambda: all(each.state.result for each in health.report().checks), "each check has run")
            yield Both(app, portal, address)


def same(answer: Answer, reply: Reply, method: str) -> bool:
    # The server of an app adds these two headers.
    seen = [header for header in answer.headers if header[0] not in ("connection", "date")]
    expected = [(name.decode(), value.decode()) for name, value in reply.raw_headers]
    assert (answer.status, seen) == (reply.status, expected)
    assert answer.body == reply.body
    assert method != "HEAD" or answer.body == b""
    return True


def ask_all(both: Both, path: str) -> dict[tuple[str, str, bool], tuple[Answer, Reply]]:
    found = {}
    for method in METHODS:
        with Connection(both.address) as connection:
            for query in QUERIES:
                for token in (False, True):
                    target = f"{path}?{query}" if query else path
                    headers = [("authorization", f"Bearer {TOKEN}")] if token else []
                    answer = connection.exchange(request(method, target, headers), method)
                    found[method, query, token] = answer, both.through_the_app(target, method, token)
    return found


@pytest.mark.parametrize("path", PROBED)
def test_a_probe_has_one_answer(both: Both, path: str) -> None:
    found = ask_all(both, path)
    assert all(same(answer, reply, method) for (method, _, _), (answer, reply) in found.items())
    assert {answer.status for answer, _ in found.values()} - {503} == {200, 400, 405}
    assert len({answer.body for (method, _, _), (answer, _) in found.items() if method == "GET"}) > 2


@pytest.mark.parametrize("path", CHECKS)
def test_a_single_check_has_one_answer(both: Both, path: str) -> None:
    found = ask_all(both, path)
    assert all(same(answer, reply, method) for (method, _, _), (answer, reply) in found.items())
    assert {answer.status for (_, _, token), (answer, _) in found.items() if not token} == {404}
    assert {answer.status for (_, _, token), (answer, _) in found.items() if token} - {503} == {200, 400, 405}


@pytest.mark.parametrize("path", OTHERS)
def test_another_path_is_unknown(both: Both, path: str) -> None:
    for (method, _, token), (answer, reply) in ask_all(both, path).items():
        if not reply.from_app:  # a path below that of a probe, with a name that no check has
            assert same(answer, reply, method)
        known = answer.status == 405 and token and path in ("/health/ready/nope", "/livez/db")
        assert known or (answer.status, answer.one("content-length")) == (404, "10")
        assert known or answer.body == (b"" if method == "HEAD" else b"not found\n")


def test_details_are_redacted_and_dated(both: Both) -> None:
    with Connection(both.address) as connection:
        body = connection.ask("GET", "/health", [("authorization", f"Bearer {TOKEN}")]).body.decode()
    assert "hunter2" not in body
    assert "secret" not in body
    assert '"releaseId"' not in body
    assert '"version":"1.2"' in body
    assert "2001-09-09T01:46:40.000Z" in body
