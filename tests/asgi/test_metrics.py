"""The path of the metrics at the app: who may read it, what a scrape does, and what it does not do."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_health import (
    Check,
    Drain,
    Health,
    HealthMiddleware,
    Paths,
    Result,
    bearer_token,
    healthy,
    unhealthy,
)
from asgi_health.asgi.types import Scope
from asgi_health.health import engine_of
from asgi_health.testing import lifespan, settled

from ..support.asgi_caller import Reply, ask, with_token
from ..support.core_cases import refused
from ..support.exposition import OPENMETRICS, TEXT, Samples, read, samples, state, value
from ..support.known_state import Clock, health_with, make_check
from ..support.lifespan_apps import lifespan_app
from ..support.virtual_time import BACKENDS
from ..support.waiting import turns_during

PATH = "/health/metrics"
METRICS = Paths(metrics=PATH)


def make_app(health: Health | None = None, **options: Any) -> HealthMiddleware:
    settings: dict[str, Any] = {"paths": METRICS, "allow_metrics": True, **options}
    return HealthMiddleware(lifespan_app, health or health_with(Clock(), (make_check("db"), healthy())), **settings)


def get(app: HealthMiddleware, path: str = PATH, method: str = "GET", **more: Any) -> Reply:
    """Return the answer to one request, in an event loop: a scrape lets it go on now and then."""
    return asyncio.run(ask(app, path, method, **more)).check_form()


def scraped(reply: Reply) -> Samples:
    assert reply.status == 200
    return samples(read(reply.body, reply.headers["content-type"]))


def test_a_scrape_is_answered_in_the_format_that_it_accepts() -> None:
    app = make_app()
    assert get(app).headers["content-type"] == TEXT
    accept = [(b"accept", b"application/openmetrics-text;version=1.0.0"), (b"accept", b"text/plain;q=0.5")]
    reply = get(app, headers=accept)
    assert reply.headers["content-type"] == OPENMETRICS
    assert reply.body.endswith(b"# EOF\n")
    assert scraped(reply).keys() == scraped(get(app)).keys()


def test_a_scrape_is_200_also_when_everything_is_bad() -> None:
    health = health_with(Clock(), (make_check("db"), unhealthy("down")))
    health.drain()
    found = scraped(get(make_app(health)))
    assert state(found, "asgi_health_check_state", check="db") == "unhealthy"
    assert state(found, "asgi_health_probe_state", probe="readiness") == "unhealthy"
    assert value(found, "asgi_health_draining") == 1


def test_headers_and_methods_are_those_of_the_other_endpoints() -> None:
    app = make_app()
    reply = get(app)
    headers = reply.headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-length"] == str(len(reply.body))
    head = get(app, method="HEAD")
    assert (head.status, head.body, head.headers["content-type"]) == (200, b"", TEXT)
    assert get(app, method="OPTIONS").headers["allow"] == "GET, HEAD, OPTIONS"
    assert get(app, method="POST").status == 405


@pytest.mark.parametrize("path", [PATH, f"{PATH}/", f"/api{PATH}"])
def test_each_spelling_of_the_path_is_found(path: str) -> None:
    assert get(make_app(), path, root_path="/api" if path.startswith("/api") else "").status == 200


@pytest.mark.parametrize("path", ["/metrics", "/health/metricsx", "/health/metrics/db", "/health/METRICS"])
def test_other_paths_reach_the_app(path: str) -> None:
    assert get(make_app(), path).from_app


def test_without_a_path_of_the_metrics_the_app_gets_the_request() -> None:
    assert get(make_app(paths=Paths(), allow_metrics=None, details=True)).from_app


def test_several_paths_may_be_given() -> None:
    app = make_app(paths=Paths(metrics=("/metrics", "/m/")))
    assert [get(app, path).status for path in ("/metrics", "/m")] == [200, 200]


def test_those_that_may_read_the_details_may_read_the_metrics_unless_another_policy_is_given() -> None:
    token: dict[str, Any] = {"headers": with_token(b"open-sesame")}
    for app in (
        make_app(details=bearer_token("open-sesame"), allow_metrics=None),
        make_app(details=False, allow_metrics=bearer_token("open-sesame")),
    ):
        assert get(app, **token).status == 200
        for method in ("GET", "HEAD", "OPTIONS", "POST"):  # a stranger does not learn that there is something
            assert get(app, method=method).status == 404
    assert get(make_app(details=True, allow_metrics=bearer_token("other")), **token).status == 404
    public = make_app(details=bearer_token("open-sesame"), allow_metrics=True)
    assert get(public).status == 200
    assert get(public, "/health").body == b'{"status":"pass"}'


@pytest.mark.parametrize("allow", [None, False])
def test_metrics_without_readers_are_refused_with_what_to_do(allow: bool | None) -> None:
    with refused(ValueError, "paths: ", "metrics '/health/metrics'", "details=", "allow_metrics=True", "bearer_token"):
        make_app(allow_metrics=allow)


def test_readers_without_metrics_are_refused() -> None:
    with refused(ValueError, "allow_metrics: ", "no path of the metrics", "Paths(metrics="):
        make_app(paths=Paths())
    make_app(paths=Paths(), allow_metrics=False)


def test_a_policy_of_the_metrics_is_checked_as_others_are() -> None:
    async def asynchronous(scope: Scope) -> bool:
        raise AssertionError("it is never called")

    for policy in ("token", asynchronous, lambda: True):
        with pytest.raises(TypeError, match=r"^allow_metrics must be True, False or a plain function \(scope\)"):
            make_app(allow_metrics=policy)


def test_a_path_of_the_metrics_is_no_other_path() -> None:
    with refused(ValueError, "paths: '/readyz' ", "for both ready and metrics"):
        Paths(metrics="/readyz")
    with refused(ValueError, "paths: ", "metrics 'metrics'", "begin with a slash"):
        Paths(metrics="metrics")
    with refused(ValueError, "drain: path '/health/metrics' ", "a path of the metrics already"):
        make_app(drain=Drain(path=PATH, allow=True))
    assert PATH not in METRICS.all


def test_a_program_without_a_server_needs_a_listener_for_its_metrics() -> None:
    async def main() -> None:
        async with Health().running(paths=METRICS, details=True):
            raise AssertionError("it must not start")

    with refused(ValueError, "paths: metrics '/health/metrics' ", "listener"):
        anyio.run(main)


def test_a_route_of_the_app_that_the_metrics_hide_is_named_in_the_log(warnings_of: Callable[..., list[str]]) -> None:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def metrics(request: object) -> PlainTextResponse:
        raise AssertionError("it is hidden")

    starlette = Starlette(routes=[Route("/metrics", metrics)])
    app = HealthMiddleware(starlette, paths=Paths(metrics="/metrics"), allow_metrics=True)
    (warning,) = warnings_of(app)
    assert "the health path /metrics hides the app's route /metrics" in warning
    assert "paths=Paths(metrics=None) makes it reachable" in warning


class Counting:
    """A check that counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    async def __call__(self) -> None:
        self.runs += 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_scrape_runs_no_check(backend: str) -> None:
    counting = Counting()
    health = Health([Check("db", counting, interval=3600.0)])
    app = make_app(health)

    async def main() -> None:
        assert state(scraped(await ask(app, PATH)), "asgi_health_check_state", check="db") == "unknown"
        assert counting.runs == 0
        async with lifespan(app):
            await settled(health)
            for _ in range(100):
                await ask(app, PATH)
            found = scraped(await ask(app, PATH))
            assert state(found, "asgi_health_check_state", check="db") == "healthy"
        assert counting.runs == value(found, "asgi_health_check_runs_total", check="db") == 1

    anyio.run(main, backend=backend)


def test_a_scrape_takes_no_lock() -> None:
    clock = Clock()
    health = health_with(clock, (make_check("db"), healthy()))
    app = make_app(health)
    held, release = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            held.set()
            assert release.wait(20.0)

    engine_of(health).on_change(hold)  # called with the lock of the engine held
    thread = threading.Thread(target=partial(health.add, make_check("other")))
    thread.start()
    try:
        assert held.wait(20.0)
        found = scraped(get(app))  # would wait until the thread is released, which happens below
        assert {dict(labels)["check"] for name, labels in found if name == "asgi_health_check_up"} == {"db", "other"}
    finally:
        release.set()
        thread.join(20.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_loop_serves_others_while_a_scrape_is_rendered(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_health.asgi.steps.MAX_STEP", 0.0)
    results: list[tuple[Check, Result]] = [(make_check(f"c{number}"), healthy()) for number in range(200)]
    app = make_app(health_with(Clock(), *results))

    async def scrape() -> None:
        found = scraped(await ask(app, PATH))
        assert sum(name == "asgi_health_check_up" for name, _ in found) == 200

    assert anyio.run(turns_during, scrape, backend=backend) > 200  # one per check at least


def test_a_cancelled_scrape_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_health.asgi.steps.MAX_STEP", 0.0)
    app = make_app()

    async def main() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await ask(app, PATH)
            raise AssertionError("the client has gone")
        assert (await ask(app, PATH)).status == 200

    anyio.run(main)


def test_counts_survive_a_lifespan() -> None:
    health = Health([Check("db", Counting(), interval=3600.0)])
    app = make_app(health)

    async def main() -> None:
        for number in (1, 2, 3):
            async with lifespan(app):
                await settled(health)
            found = scraped(await ask(app, PATH))
            assert value(found, "asgi_health_check_runs_total", check="db") == number
            assert state(found, "asgi_health_phase") == "stopped"

    anyio.run(main)


def test_the_lag_of_the_loop_is_shown_while_it_is_measured() -> None:
    health = Health()
    app = make_app(health)

    async def main() -> None:
        assert value(scraped(await ask(app, PATH)), "asgi_health_loop_lag_seconds") is None
        async with lifespan(app):
            lag = value(scraped(await ask(app, PATH)), "asgi_health_loop_lag_seconds")
            assert lag is not None
            assert lag >= 0
        assert value(scraped(await ask(app, PATH)), "asgi_health_loop_lag_seconds") is None

    anyio.run(main)
