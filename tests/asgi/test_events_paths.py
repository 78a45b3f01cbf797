"""The path of the events: who may read it, how it is answered to other requests, and where there is none."""

import asyncio
from typing import Any

import pytest

from asgi_health import Drain, HealthMiddleware, Paths, bearer_token, healthy, unhealthy
from asgi_health.asgi.access_log import LOGGERS

from ..support.asgi_caller import Reply, ask, get, with_token
from ..support.event_client import PATH, Watching
from ..support.known_state import Clock, health_with, make_check
from ..support.lifespan_apps import lifespan_app

HEAD = {
    b"content-type": b"text/event-stream",
    b"cache-control": b"no-store, no-transform",
    b"x-accel-buffering": b"no",
    b"x-content-type-options": b"nosniff",
}


def make_app(**options: Any) -> HealthMiddleware:
    health = health_with(Clock(), (make_check("db"), unhealthy("secret reason")), (make_check("queue"), healthy()))
    return HealthMiddleware(lifespan_app, health, **{"details": bearer_token("sesame"), **options})


def request(app: HealthMiddleware, method: str = "GET", path: str = PATH, token: bytes = b"sesame") -> Reply:
    return asyncio.run(ask(app, path, method, headers=with_token(token)))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE"])
def test_a_stranger_gets_the_answer_of_a_path_that_does_not_exist(method: str) -> None:
    app = make_app()
    reply = request(app, method, token=b"wrong").check_form()
    assert reply.status == 404
    assert reply.messages == request(app, method, "/readyz/no-such-check", b"wrong").messages


def test_without_details_the_path_belongs_to_the_app() -> None:
    assert get(make_app(details=False), PATH).from_app
    assert get(make_app(details=False, paths=Paths(events="/live-events")), "/live-events").from_app


def test_without_a_path_there_are_no_events() -> None:
    assert get(make_app(paths=Paths(events=None)), PATH).from_app


def test_head_gets_the_headers_alone() -> None:
    reply = request(make_app(), "HEAD").check_form()
    assert (reply.status, dict(reply.raw_headers), reply.body) == (200, HEAD, b"")


def test_options_names_the_methods() -> None:
    reply = request(make_app(), "OPTIONS").check_form()
    assert (reply.status, reply.body) == (200, b"")
    assert (reply.headers["allow"], reply.headers["content-length"]) == ("GET, HEAD, OPTIONS", "0")


def test_other_methods_are_405() -> None:
    app = make_app()
    reply = request(app, "POST").check_form()
    assert reply.status == 405
    assert reply.messages == request(app, "POST", "/readyz").messages


def test_every_path_that_is_given_has_the_events_and_the_default_has_none() -> None:
    app = make_app(paths=Paths(events=("/a/events", "/b")), details=True)

    async def started(path: str) -> int:
        watcher = Watching(path=path)
        task = asyncio.ensure_future(watcher.run(app))
        await watcher.wait_for_state()
        watcher.disconnect()
        await task
        status: int = watcher.messages[0]["status"]
        return status

    assert [asyncio.run(started(path)) for path in ("/a/events", "/b/")] == [200, 200]
    assert get(app, PATH).from_app
    assert get(app, "/a").from_app
    assert get(app, "/a/eventsandmore").from_app


def test_a_path_cannot_be_that_of_the_drain_or_of_a_probe() -> None:
    with pytest.raises(ValueError, match=r"drain: path '/health/events' is a path of the events already"):
        make_app(drain=Drain(path=PATH, allow=True))
    with pytest.raises(ValueError, match=r"paths: '/x' is given for both live and events"):
        Paths(live="/x", events="/x")


def test_the_answer_to_a_stranger_shows_nothing_of_the_checks() -> None:
    everything = request(make_app(), token=b"wrong").everything
    for word in (b"db", b"queue", b"secret", b"event-stream"):
        assert word not in everything


def test_quiet_leaves_no_line_of_a_stream_in_the_access_log() -> None:
    import logging

    app = make_app(quiet=True)
    request(app, "HEAD")
    logger = logging.getLogger(LOGGERS[0])
    args = ("127.0.0.1:1", "GET", PATH, "1.1", 200)
    record = logger.makeRecord(LOGGERS[0], logging.INFO, "x", 1, "%s", args, None)
    bad = logger.makeRecord(LOGGERS[0], logging.INFO, "x", 1, "%s", (*args[:4], 404), None)
    assert not logger.filter(record)
    assert logger.filter(bad)
