"""How often an answer is rendered: once for each change that it shows, for any number of requests."""

from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_health import HealthMiddleware, Probe, degraded, healthy, unhealthy
from asgi_health.asgi import details_cache

from ..support.asgi_caller import ask, echo_nothing, get
from ..support.known_state import Clock, finish, health_with, make_check, record, start_due
from ..support.virtual_time import BACKENDS
from ..support.waiting import turns_during


class Renderings:
    """Count the calls of the renderers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for name in (
            "health_json",
            "text",
            "explain",
            "explain_in_parts",
            "page_in_parts",
            "feed",
            "feed_in_parts",
            "badge",
        ):
            monkeypatch.setattr(details_cache, name, self._counting(getattr(details_cache, name)))

    def _counting(self, render: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return render(*args, **kwargs)

        return counted

    def since(self) -> int:
        count, self.count = self.count, 0
        return count


@pytest.fixture
def renderings(monkeypatch: pytest.MonkeyPatch) -> Renderings:
    return Renderings(monkeypatch)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(clock: Clock) -> HealthMiddleware:
    health = health_with(
        clock,
        (make_check("database", group="shop"), healthy()),
        (make_check("cache", critical=False), unhealthy("down")),
        (make_check("loop", probes=(Probe.LIVENESS,)), healthy()),
    )
    return HealthMiddleware(echo_nothing, health, details=True)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/readyz", b"verbose"),
        ("/readyz", b"format=text"),
        ("/readyz", b"explain"),
        ("/readyz", b"format=html"),
        ("/health", b"format=atom&group=shop"),
        ("/readyz/database", b"format=atom"),
        ("/readyz", b"format=badge"),
        ("/readyz", b"verbose&exclude=database"),
        ("/health", b""),
        ("/health", b"exclude=cache&exclude=database"),
        ("/readyz/database", b""),
    ],
)
def test_a_flood_between_two_changes_renders_once(
    app: HealthMiddleware, clock: Clock, renderings: Renderings, path: str, query: bytes
) -> None:
    for _ in range(3):
        for _ in range(1000):
            get(app, path, query)
        assert renderings.since() == 1
        clock.now += 12.0
        record(app.health, clock, {})


def test_spellings_of_the_same_request_share_one_rendering(app: HealthMiddleware, renderings: Renderings) -> None:
    spellings = [
        ("/readyz", b"verbose&exclude=database&exclude=cache"),
        ("/readyz/", b"exclude=cache&exclude=database&verbose"),
        ("/health/ready", b"exclude=cache&exclude=cache&exclude=database&verbose=1&t=%d"),
    ]
    for number, (path, query) in enumerate(islice(cycle(spellings), 1000)):
        get(app, path, query.replace(b"%d", b"%d" % number))
    assert renderings.since() == 1


def test_a_flood_of_different_exclusions_renders_each_once(app: HealthMiddleware, renderings: Renderings) -> None:
    names = ("database", "cache", "loop")
    queries = [
        b"&".join(b"exclude=" + name.encode() for bit, name in enumerate(names) if number >> bit & 1)
        for number in range(8)
    ]
    for query in islice(cycle(queries), 1000):
        get(app, "/health", query)
    assert renderings.since() == 8


def test_unknown_names_to_exclude_render_nothing(app: HealthMiddleware, renderings: Renderings) -> None:
    for number in range(1000):
        assert get(app, "/health", b"exclude=made-up-%d" % number).status == 400
    assert renderings.since() == 0


def test_names_of_other_probes_to_exclude_share_one_rendering(app: HealthMiddleware, renderings: Renderings) -> None:
    for query in (b"verbose", b"verbose&exclude=loop", b"exclude=loop&verbose"):
        get(app, "/readyz", query)
    assert renderings.since() == 1


def test_only_the_newest_answers_are_kept(clock: Clock, renderings: Renderings) -> None:
    paths = [f"/readyz/check-{number}" for number in range(details_cache.MAX_ENTRIES + 20)]
    health = health_with(clock, *((make_check(path.removeprefix("/readyz/")), healthy()) for path in paths))
    app = HealthMiddleware(echo_nothing, health, details=True)
    for path in paths:
        get(app, path)
    assert renderings.since() == len(paths)
    for path in paths[20:]:
        get(app, path)
    assert renderings.since() == 0
    for path in paths[:20]:
        get(app, path)
    assert renderings.since() == 20


def test_strangers_and_plain_probes_render_nothing(app: HealthMiddleware, renderings: Renderings) -> None:
    guarded = HealthMiddleware(echo_nothing, app.health, details=lambda scope: False)
    for path in ("/livez", "/readyz", "/startupz", "/health", "/readyz/database"):
        for query in (b"", b"verbose", b"exclude=database"):
            get(guarded, path, query)
    for path in ("/livez", "/readyz", "/startupz", "/readyz/nothing"):
        get(app, path)
    get(app, "/readyz", b"verbose", method="POST")
    assert renderings.since() == 0


@pytest.mark.parametrize("query", [b"verbose", b"format=text", b"verbose&exclude=cache"])
def test_every_change_shows_in_the_next_answer(
    app: HealthMiddleware, clock: Clock, renderings: Renderings, query: bytes
) -> None:
    def answer() -> str:
        return get(app, "/readyz", query).text

    assert "new" not in answer()
    app.health.add(make_check("new"))
    (run,) = start_due(app.health, clock)
    assert "no result yet" in answer()
    finish(app.health, clock, run, unhealthy("it is broken"))
    assert "it is broken" in answer()
    app.health.drain()
    assert "the app has been draining for " in answer()
    app.health.remove("new")
    assert "it is broken" not in answer()
    assert renderings.since() == 5


def test_a_result_of_the_same_status_renders_again_because_its_time_shows(app: HealthMiddleware, clock: Clock) -> None:
    before = get(app, "/health").json["checks"]["database"]
    clock.now += 12.0
    run = next(run for run in start_due(app.health, clock) if run.check.name == "database")
    clock.now += 0.5
    finish(app.health, clock, run, healthy())
    after = get(app, "/health").json["checks"]["database"]
    assert after != before
    assert after[0]["responseTime"] == 500.0


@pytest.mark.parametrize("path", ["/readyz", "/health"])
def test_a_result_that_becomes_stale_changes_the_answer(
    app: HealthMiddleware, clock: Clock, renderings: Renderings, path: str
) -> None:
    fresh = get(app, path, b"verbose")
    clock.now += 31.9  # stale after 3 * 10 + 2 seconds; due since 10 seconds
    assert renderings.since() == 1
    start_due(app.health, clock)  # they hang
    clock.now += 0.1
    stale = get(app, path, b"verbose")
    assert (fresh.status, stale.status) == (200, 503)
    assert "stale: not confirmed for more than 32.0 s" in stale.text
    assert get(app, path, b"verbose").messages == stale.messages


def app_with_many_checks() -> HealthMiddleware:
    checks = [(make_check(f"check-{number}"), healthy()) for number in range(200)]
    return HealthMiddleware(echo_nothing, health_with(Clock(), *checks), details=True)


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_health.asgi.steps.MAX_STEP", 0.0)


@pytest.mark.usefixtures("short_steps")
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_loop_serves_others_while_an_explanation_is_rendered(backend: str) -> None:
    async def explain() -> None:
        assert len((await ask(app_with_many_checks(), "/health", query=b"explain")).json["checks"]) == 200

    assert anyio.run(turns_during, explain, backend=backend) > 200 // details_cache.CHECKS_AT_ONCE


@pytest.mark.usefixtures("short_steps")
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_loop_serves_others_while_messages_are_searched(backend: str) -> None:
    checks = [(make_check(f"check-{number}"), degraded("slow")) for number in range(200)]
    app = HealthMiddleware(echo_nothing, health_with(Clock(), *checks), details=True)

    async def search() -> None:
        assert b"No check matches." in (await ask(app, "/health", query=b"format=html&search=redis")).body

    # One less where the other task begins last, as trio decides by chance.
    assert anyio.run(turns_during, search, backend=backend) >= 200 // details_cache.ROWS_AT_ONCE - 1


@pytest.mark.usefixtures("short_steps")
@pytest.mark.parametrize("backend", BACKENDS)
def test_readers_of_one_explanation_at_the_same_time_share_its_rendering(backend: str, renderings: Renderings) -> None:
    app, bodies = app_with_many_checks(), set[bytes]()

    async def read() -> None:
        bodies.add((await ask(app, "/health", query=b"explain")).body)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(read)

    anyio.run(main, backend=backend)
    assert (renderings.since(), len(bodies)) == (1, 1)


@pytest.mark.usefixtures("short_steps")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_reader_who_goes_away_does_not_take_the_explanation_from_the_others(backend: str) -> None:
    app, statuses = app_with_many_checks(), list[int]()

    async def read() -> None:
        statuses.append((await ask(app, "/health", query=b"explain")).status)

    async def main() -> None:
        async with anyio.create_task_group() as group, anyio.create_task_group() as leaving:
            leaving.start_soon(read)
            await anyio.lowlevel.checkpoint()
            for _ in range(5):
                group.start_soon(read)
            await anyio.lowlevel.checkpoint()
            leaving.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    assert statuses == [200] * 5
