"""The metrics at the listener: while the event loop of the app is blocked, and over several lifespans."""

import asyncio
import threading
from collections.abc import Callable

import anyio.to_thread
import pytest

from asgi_health import Check, Health, HealthMiddleware, Listener, Paths, bearer_token, listen_early
from asgi_health.health import engine_of

from ..servers.wire import Connection, ask
from ..support.app_thread import BOTH, Blocked, loop_of, running_app
from ..support.asgi_caller import ask as ask_app
from ..support.exposition import OPENMETRICS, Samples, read, samples, state, value
from ..support.lifespan_apps import lifespan_app
from ..support.waiting import wait_until

PATH = "/health/metrics"
METRICS = Paths(metrics=PATH)
READY = 0.6


def make_app(path: str, health: Health | None = None, allow: object = True, slow_loop: float = 1.0) -> HealthMiddleware:
    health = health or Health([Check("db", lambda: True, interval=3600.0)])
    listener = Listener(path, stall_ready=READY)
    return HealthMiddleware(
        lifespan_app,
        health,
        paths=METRICS,
        allow_metrics=allow,  # type: ignore[arg-type]
        listener=listener,
        slow_loop=slow_loop,
    )


def scrape(path: str) -> Samples:
    answer = ask(path, "GET", PATH, [("accept", "application/openmetrics-text")])
    assert (answer.status, answer.one("content-type")) == (200, OPENMETRICS)
    return samples(read(answer.body, OPENMETRICS))


@pytest.mark.parametrize("loop", BOTH)
def test_a_scrape_says_that_the_loop_is_blocked_while_it_is(path: str, loop: str) -> None:
    with running_app(make_app(path, slow_loop=0.5), loop) as portal:

        def ready() -> float | None:
            return value(scrape(path), "asgi_health_probe_up", probe="readiness")

        wait_until(lambda: ready() == 1, "it is ready")
        with Blocked(portal):
            wait_until(lambda: ready() == 0, "it is not ready")
            found = scrape(path)
            assert state(found, "asgi_health_probe_state", probe="readiness") == "unhealthy"
            assert state(found, "asgi_health_check_state", check="db") == "healthy"
            assert value(found, "asgi_health_probe_up", probe="startup") == 1
            lag = value(found, "asgi_health_loop_lag_seconds")
            assert lag is not None
            assert lag >= READY
        wait_until(lambda: ready() == 1, "it is ready again")
        wait_until(lambda: (value(scrape(path), "asgi_health_loop_stalls_total") or 0) >= 1, "the stall is counted")
        total = value(scrape(path), "asgi_health_loop_stalled_seconds_total")
        assert total is not None
        assert total >= READY


def test_strangers_find_nothing_and_readers_do(path: str) -> None:
    with running_app(make_app(path, allow=bearer_token("open-sesame"))):
        assert ask(path, "GET", PATH).status == 404
        assert ask(path, "POST", PATH).status == 404
        allowed = [("authorization", "Bearer open-sesame")]
        assert ask(path, "GET", PATH, allowed).status == 200
        assert ask(path, "POST", PATH, allowed).status == 405
        assert ask(path, "HEAD", PATH, allowed).body == b""


def test_connections_that_the_listener_closes_are_counted_over_all_lifespans(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_health.listener.open_connections.MAX_CONNECTIONS", 2)
    health = Health()

    def evicted() -> float:
        return value(scrape(path), "asgi_health_listener_evicted_connections_total") or 0

    for lifespan in range(3):
        with running_app(make_app(path, health)):
            assert evicted() >= lifespan
            before = evicted()
            silent = [Connection(path) for _ in range(3)]
            for each in silent:
                each.__enter__()
            wait_until(lambda: evicted() > before, "a connection was closed to make room")  # noqa: B023  called at once
            for each in silent:
                each.__exit__(None, None, None)
            assert value(scrape(path), "asgi_health_listener_refused_connections_total") == 0


def test_without_a_listener_its_series_do_not_exist() -> None:
    app = HealthMiddleware(lifespan_app, paths=METRICS, allow_metrics=True)
    assert b"listener" not in asyncio.run(ask_app(app, PATH)).body


def test_an_early_listener_has_no_metrics_until_the_app_takes_over(path: str) -> None:
    """It does not know yet who may read them."""
    app = make_app(path)
    listen_early(Listener(path), paths=METRICS)
    assert ask(path, "GET", "/livez").status == 200
    assert ask(path, "GET", PATH).status == 404
    with running_app(app):
        assert state(scrape(path), "asgi_health_phase") == "serving"


async def in_a_program(path: str, then: Callable[[], None]) -> None:
    async with Health().running(listener=Listener(path), paths=METRICS, allow_metrics=True):
        await anyio.to_thread.run_sync(then)


def test_a_program_without_a_server_answers_scrapes_too(path: str) -> None:
    phases: list[str] = []
    with loop_of() as portal:
        portal.call(in_a_program, path, lambda: phases.append(state(scrape(path), "asgi_health_phase")))
    assert phases == ["serving"]


def test_a_scrape_at_the_listener_takes_no_lock(path: str) -> None:
    health = Health([Check("db", lambda: True, interval=3600.0)])
    held, release = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        if threading.current_thread() is holder:
            held.set()
            assert release.wait(20.0)

    holder = threading.Thread(target=lambda: health.add(Check("other", lambda: True, interval=3600.0)))
    with running_app(make_app(path, health)):
        wait_until(lambda: value(scrape(path), "asgi_health_check_up", check="db") == 1, "it has run")
        engine_of(health).on_change(hold)  # called with the lock of the engine held
        holder.start()
        try:
            assert held.wait(20.0)
            assert value(scrape(path), "asgi_health_check_up", check="other") == 0
        finally:
            release.set()
            holder.join(20.0)
