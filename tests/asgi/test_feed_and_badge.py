"""`?format=atom` and `?format=badge`: who gets them, where, and how long they stay as they are."""

import time
from xml.etree import ElementTree as ET

import anyio
import pytest

from asgi_health import HealthMiddleware, Probe, ServiceInfo, bearer_token, degraded, healthy, unhealthy
from asgi_health.asgi import details_cache
from asgi_health.health import engine_of

from ..support.asgi_caller import Reply, ask, echo_nothing, get, names_in, with_token
from ..support.known_state import Clock, health_with, make_check, record
from ..support.virtual_time import BACKENDS
from ..support.waiting import turns_during

ATOM = "{http://www.w3.org/2005/Atom}"
PROBES = {"/livez": "liveness", "/readyz": "readiness", "/startupz": "startup", "/health": "health"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(clock: Clock) -> HealthMiddleware:
    health = health_with(
        clock,
        (make_check("database", group="shop"), unhealthy("no route to 10.1.2.3")),
        (make_check("redis", critical=False), unhealthy("refused")),
        (make_check("loop", probes=(Probe.LIVENESS,)), degraded("slow")),
    )
    return HealthMiddleware(echo_nothing, health, details=bearer_token("secret"), service=ServiceInfo("the shop"))


def read(app: HealthMiddleware, path: str, query: bytes, *, token: bytes = b"secret", method: str = "GET") -> Reply:
    return get(app, path, query, method=method, headers=with_token(token)).check_form()


def titles(reply: Reply) -> set[str]:
    return {entry.findtext(f"{ATOM}title", "") for entry in ET.fromstring(reply.body).findall(f"{ATOM}entry")}


def identities(reply: Reply) -> list[str]:
    return [entry.findtext(f"{ATOM}id", "") for entry in ET.fromstring(reply.body).findall(f"{ATOM}entry")]


def changed(app: HealthMiddleware) -> None:
    """Make the answers of before invalid, without an incident."""
    engine_of(app.health).record_stall(0.01)


def label(reply: Reply) -> str:
    assert (reply.status, reply.headers["content-type"]) == (200, "image/svg+xml")
    assert reply.headers["cache-control"] == "no-store"
    return ET.fromstring(reply.body).get("aria-label", "")


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/health", b"", {"health failed: database", "database failed", "redis failed", "loop degraded"}),
        ("/livez", b"", {"liveness degraded: loop", "loop degraded"}),
        ("/readyz", b"", {"readiness failed: database", "database failed", "redis failed"}),
        ("/startupz", b"", set[str]()),
        ("/readyz/redis", b"", {"redis failed"}),
        ("/health", b"&group=shop", {"database failed"}),
        ("/readyz", b"&exclude=database", {"redis failed"}),
        ("/readyz/redis", b"&strict&verbose&explain", {"redis failed"}),
    ],
)
def test_each_path_has_a_feed_of_its_incidents(
    app: HealthMiddleware, path: str, query: bytes, expected: set[str]
) -> None:
    reply = read(app, path, b"format=atom" + query)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/atom+xml; charset=utf-8")
    assert reply.headers["cache-control"] == "no-store"
    assert titles(reply) == expected
    assert "the shop" in reply.text


def test_strangers_get_no_feed(app: HealthMiddleware) -> None:
    for path in (*PROBES, "/readyz/database"):
        assert read(app, path, b"format=atom", token=b"wrong").messages == get(app, path).messages


def test_the_feed_of_an_app_that_is_well_has_what_is_over(app: HealthMiddleware, clock: Clock) -> None:
    clock.now += 12.0
    record(app.health, clock, {})
    reply = read(app, "/health", b"format=atom")
    assert "it goes on" not in reply.text
    assert titles(reply) == {"health failed: database", "database failed", "redis failed", "loop degraded"}


def test_entries_stay_as_they_are_although_two_clocks_are_never_read_at_once(
    app: HealthMiddleware, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = time.time()
    monkeypatch.setattr(time, "time", lambda: wall)
    first = read(app, "/health", b"format=atom")
    for drift in (0.003, -0.4, 0.9):
        clock.now += 0.1
        moment = wall + clock.now - 1000.0 + drift
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        changed(app)
        assert read(app, "/health", b"format=atom").body == first.body


def test_a_clock_that_was_set_changes_the_times_and_not_the_identities(
    app: HealthMiddleware, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read(app, "/health", b"format=atom")
    changed(app)
    moment = time.time() + 3600.0
    monkeypatch.setattr(time, "time", lambda: moment)
    second = read(app, "/health", b"format=atom")
    assert second.body != first.body
    assert identities(second) == identities(first)


def test_two_apps_of_one_process_have_different_incidents(clock: Clock) -> None:
    apps = [
        HealthMiddleware(echo_nothing, health_with(clock, (make_check("a"), unhealthy("down"))), details=True)
        for _ in range(2)
    ]
    one, other = (set(identities(get(app, "/health", b"format=atom"))) for app in apps)
    assert one
    assert not one & other


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_loop_serves_others_while_a_feed_is_rendered(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_health.asgi.steps.MAX_STEP", 0.0)
    checks = [(make_check(f"check-{number}"), healthy()) for number in range(200)]
    app = HealthMiddleware(echo_nothing, health_with(Clock(), *checks), details=True)

    async def main() -> None:
        assert (await ask(app, "/health", query=b"format=atom")).status == 200

    assert anyio.run(turns_during, main, backend=backend) > 1.5 * 200 // details_cache.CHECKS_AT_ONCE


WORDS = {"/livez": "warn", "/readyz": "fail", "/startupz": "pass", "/health": "fail"}


@pytest.mark.parametrize("path", PROBES)
def test_every_client_may_see_the_badge_of_a_probe(app: HealthMiddleware, path: str) -> None:
    for token in (b"secret", b"wrong"):
        for query in (b"format=badge", b"t=17&format=badge"):
            assert label(read(app, path, query, token=token)) == f"{PROBES[path]}: {WORDS[path]}"


def test_the_badge_of_strangers_shows_no_name(app: HealthMiddleware) -> None:
    for query in (b"format=badge", b"format=badge&group=shop", b"format=badge&exclude=database"):
        reply = read(app, "/health", query, token=b"wrong")
        assert label(reply) == "health: fail"
        assert names_in(reply, {"database", "redis", "shop", "refused"}) == set()


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/readyz/database", b"", "database: fail"),
        ("/readyz/redis", b"", "redis: warn"),
        ("/livez/loop", b"&strict", "loop: warn"),
        ("/health", b"&group=shop", "health shop: fail"),
        ("/readyz", b"&exclude=database", "readiness: warn"),
    ],
)
def test_authorised_readers_see_the_badge_of_a_check_and_of_a_group(
    app: HealthMiddleware, path: str, query: bytes, expected: str
) -> None:
    assert label(read(app, path, b"format=badge" + query)) == expected


def test_strangers_see_no_badge_of_a_check(app: HealthMiddleware) -> None:
    for path in ("/readyz/database", "/readyz/nothing"):
        assert read(app, path, b"format=badge", token=b"wrong").status == 404


def test_a_badge_shows_the_phase(app: HealthMiddleware) -> None:
    app.health.drain()
    for token in (b"secret", b"wrong"):
        assert label(read(app, "/health", b"format=badge", token=token)) == "health: draining"


def test_where_details_are_off_there_is_no_badge_and_no_feed(clock: Clock) -> None:
    app = HealthMiddleware(echo_nothing, health_with(clock, (make_check("a"), unhealthy("down"))))
    for query in (b"format=badge", b"format=atom"):
        assert get(app, "/health", query).body == b'{"status":"fail"}'


def test_both_answer_head_without_a_body(app: HealthMiddleware) -> None:
    for query in (b"format=badge", b"format=atom"):
        full, head = read(app, "/health", query), read(app, "/health", query, method="HEAD")
        assert (head.status, head.body, head.raw_headers) == (full.status, b"", full.raw_headers)


def test_neither_tells_a_proxy_that_the_app_is_degraded(clock: Clock) -> None:
    health = health_with(clock, (make_check("a"), degraded("slow")))
    app = HealthMiddleware(echo_nothing, health, details=True, envoy_degraded=True)
    assert "x-envoy-degraded" in get(app, "/health").headers
    for query in (b"format=badge", b"format=atom"):
        assert "x-envoy-degraded" not in get(app, "/health", query).headers
