"""How often an answer is rendered: once for each change that it shows, however many ask for it."""

from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import pytest

from asgi_health import HealthMiddleware, Probe, healthy, unhealthy
from asgi_health.asgi import library

from ..support.asgi_caller import echo_nothing, get
from ..support.known_state import Clock, a_check, known, record


class Renderings:
    """Count what the two renderers are asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for name in ("health_json", "text"):
            monkeypatch.setattr(library, name, self._counting(getattr(library, name)))

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
    health = known(
        clock,
        (a_check("database"), healthy()),
        (a_check("cache", critical=False), unhealthy("down")),
        (a_check("loop", probes=(Probe.LIVENESS,)), healthy()),
    )
    return HealthMiddleware(echo_nothing, health, details=True)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/readyz", b"verbose"),
        ("/readyz", b"format=text"),
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
        record(app.health, {})


def test_spellings_of_the_same_question_share_one_rendering(app: HealthMiddleware, renderings: Renderings) -> None:
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


def test_made_up_names_to_exclude_cannot_make_it_render_each_time(
    app: HealthMiddleware, renderings: Renderings
) -> None:
    for number in range(1000):
        get(app, "/health", b"exclude=made-up-%d" % number)
    assert renderings.since() == 1


def test_an_endless_variety_of_questions_does_not_grow_the_memory(clock: Clock) -> None:
    health = known(clock, *((a_check(f"check-{number}"), healthy()) for number in range(300)))
    app = HealthMiddleware(echo_nothing, health, details=True)
    for number in range(300):
        get(app, f"/readyz/check-{number}")
    assert len(app._desk._library._kept) <= library.SHELVES


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
    def told() -> str:
        return get(app, "/readyz", query).text

    assert "new" not in told()
    app.health.add(a_check("new"))
    (run,) = app.health.due(clock.now).start
    assert "no result yet" in told()
    app.health.record(run, unhealthy("it is broken"), clock.now)
    assert "it is broken" in told()
    app.health.drain()
    assert "the app has been draining for " in told()
    app.health.remove("new")
    assert "it is broken" not in told()
    assert renderings.since() == 5


def test_a_result_of_the_same_status_renders_again_because_its_time_shows(app: HealthMiddleware, clock: Clock) -> None:
    before = get(app, "/health").json["checks"]["database"]
    clock.now += 12.0
    run = next(run for run in app.health.due(clock.now).start if run.check.name == "database")
    clock.now += 0.5
    app.health.record(run, healthy(), clock.now)
    after = get(app, "/health").json["checks"]["database"]
    assert after != before
    assert after[0]["responseTime"] == 500.0


@pytest.mark.parametrize("path", ["/readyz", "/health"])
def test_a_result_that_grows_stale_changes_the_answer_without_any_record(
    app: HealthMiddleware, clock: Clock, renderings: Renderings, path: str
) -> None:
    fresh = get(app, path, b"verbose")
    clock.now += 31.9  # stale after 3 * 10 + 2 seconds; it is due since 10, but nobody runs it: see below
    assert renderings.since() == 1
    app.health.due(clock.now)  # somebody has taken up the runs, and hangs in them
    clock.now += 0.1
    stale = get(app, path, b"verbose")
    assert (fresh.status, stale.status) == (200, 503)
    assert "stale: no result for more than 32.0 s" in stale.text
    assert get(app, path, b"verbose").messages == stale.messages
