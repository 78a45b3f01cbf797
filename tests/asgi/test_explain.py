"""``?explain``: who gets it, where, and how old it may be."""

import pytest

from asgi_health import HealthMiddleware, Probe, bearer_token, healthy, unhealthy

from ..support.asgi_caller import Reply, echo_nothing, get, names_in, with_token
from ..support.known_state import Clock, finish, health_with, make_check, start_due

PATHS = ("/health", "/livez", "/readyz", "/startupz", "/readyz/database")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(clock: Clock) -> HealthMiddleware:
    health = health_with(
        clock,
        (make_check("database"), unhealthy("password=hunter2 is wrong")),
        (make_check("cache", critical=False), unhealthy("no route")),
        (make_check("loop", probes=(Probe.LIVENESS,)), healthy()),
    )
    return HealthMiddleware(echo_nothing, health, details=bearer_token("secret"))


def read(app: HealthMiddleware, path: str, query: bytes = b"explain") -> Reply:
    return get(app, path, query, headers=with_token(b"secret")).check_form()


@pytest.mark.parametrize(
    ("path", "cause", "culprits", "checks"),
    [
        ("/health", "check", ["database"], {"database", "cache", "loop"}),
        ("/livez", None, [], {"loop"}),
        ("/readyz", "check", ["database"], {"database", "cache"}),
        ("/startupz", None, [], set[str]()),
        ("/readyz/database", "check", ["database"], {"database"}),
        ("/readyz/cache", "check", ["cache"], {"cache"}),
    ],
)
def test_authorised_readers_get_an_explanation_at_each_path(
    app: HealthMiddleware, path: str, cause: str | None, culprits: list[str], checks: set[str]
) -> None:
    document = read(app, path).json
    assert (document["explain"]["cause"], document["explain"]["checks"]) == (cause, culprits)
    assert document["checks"].keys() == checks
    assert all("nextRunSeconds" in entry["explain"] for (entry,) in document["checks"].values())


def test_strangers_get_the_answers_that_they_get_without_it(app: HealthMiddleware) -> None:
    for path in PATHS:
        for headers in ([], with_token(b"secre")):
            assert get(app, path, b"explain", headers=headers).messages == get(app, path, headers=headers).messages
            assert names_in(get(app, path, b"explain", headers=headers), {"database", "uptime", "cause"}) == set()


def test_the_status_of_the_answer_is_the_same_with_and_without_an_explanation(app: HealthMiddleware) -> None:
    for path in PATHS:
        assert read(app, path).status == read(app, path, b"").status
        assert read(app, path).json["status"] == read(app, path, b"").json["status"]


def test_without_it_nothing_is_explained(app: HealthMiddleware) -> None:
    for query in (b"", b"verbose", b"format=json"):
        assert b"explain" not in read(app, "/health", query).body


def test_as_text_it_has_no_effect(app: HealthMiddleware) -> None:
    for query in (b"explain&format=text", b"format=text&explain=1"):
        assert read(app, "/readyz", query).body == read(app, "/readyz", b"format=text").body


def test_checks_can_be_left_out_of_an_explanation(app: HealthMiddleware) -> None:
    document = read(app, "/readyz", b"explain&exclude=database").json
    assert document["status"] == "warn"
    assert (document["explain"]["cause"], document["explain"]["checks"]) == ("check", ["cache"])


def test_credentials_are_masked(app: HealthMiddleware) -> None:
    for path in ("/health", "/readyz", "/readyz/database"):
        assert b"is wrong" in read(app, path).body
        assert b"hunter2" not in read(app, path).everything


def test_an_explanation_is_at_most_half_a_second_old(app: HealthMiddleware, clock: Clock) -> None:
    def seconds_to_the_next_run() -> object:
        return read(app, "/readyz").json["checks"]["database"][0]["explain"]["nextRunSeconds"]

    assert seconds_to_the_next_run() == 1.0
    clock.now += 0.25
    assert seconds_to_the_next_run() == 1.0
    clock.now += 0.25
    assert seconds_to_the_next_run() == 0.5


def test_a_new_result_shows_at_once(app: HealthMiddleware, clock: Clock) -> None:
    def failures() -> object:
        return read(app, "/readyz/database").json["checks"]["database"][0]["explain"]["failures"]

    clock.now += 1.0
    run = next(run for run in start_due(app.health, clock) if run.check.name == "database")
    assert failures() == 1
    finish(app.health, clock, run, unhealthy("again"))
    assert failures() == 2


def test_explained_and_plain_details_are_answered_side_by_side(app: HealthMiddleware) -> None:
    for _ in range(2):
        assert "explain" in read(app, "/readyz", b"explain").json
        assert "explain" not in read(app, "/readyz", b"verbose").json
        assert "explain" in read(app, "/readyz", b"explain&verbose").json
