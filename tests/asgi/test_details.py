"""What authorised readers may read, and the queries and paths for it."""

from datetime import UTC, datetime

import pytest

from asgi_health import HealthMiddleware, Probe, ServiceInfo, bearer_token, degraded, healthy, unhealthy

from ..support.asgi_caller import Reply, echo_nothing, get, names_in, with_token
from ..support.known_state import Clock, health_with, make_check

SERVICE = ServiceInfo("shop", "2", "2.7.1", "sells things", links={"about": "https://example.org/about"}, notes=("hi",))
BOTH = (Probe.READINESS, Probe.LIVENESS)


def middleware(clock: Clock, service: ServiceInfo | None = SERVICE) -> HealthMiddleware:
    health = health_with(
        clock,
        (make_check("database"), unhealthy("connection refused")),
        (make_check("redis", critical=False), unhealthy("no route")),
        (make_check("queue"), degraded("slow", data={"depth": (12, "messages")})),
        (make_check("disk", probes=BOTH), healthy("plenty")),
        (make_check("loop", probes=(Probe.LIVENESS,)), healthy()),
        (make_check("migrations", probes=(Probe.STARTUP,)), healthy()),
    )
    return HealthMiddleware(echo_nothing, health, details=bearer_token("secret"), service=service)


@pytest.fixture
def app() -> HealthMiddleware:
    return middleware(Clock())


def read(app: HealthMiddleware, path: str, query: bytes = b"", method: str = "GET") -> Reply:
    return get(app, path, query, method=method, headers=with_token(b"secret")).check_form()


READINESS = ["database", "redis", "queue", "disk"]
CHECKS = {
    "/livez": ["disk", "loop"],
    "/readyz": READINESS,
    "/startupz": ["migrations"],
    "/health": ["database", "redis", "queue", "disk", "loop", "migrations"],
}


def test_health_always_shows_all_checks(app: HealthMiddleware) -> None:
    for path in ("/health", "/healthz", "/health/"):
        reply = read(app, path)
        assert reply.status == 503
        assert reply.headers["content-type"] == "application/health+json"
        assert reply.json.keys() == {
            "status", "version", "releaseId", "serviceId", "description", "links", "notes", "checks",
        }  # fmt: skip
        assert reply.json["serviceId"] == "shop"
        assert [name for name in reply.json["checks"] if ":" not in name] == CHECKS["/health"]


def test_each_check_has_its_status_time_and_duration_and_an_output_when_it_does_not_pass(
    app: HealthMiddleware, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
    checks = read(app, "/health").json["checks"]
    common = {"time": "2026-01-02T03:04:05.000Z", "responseTime": 0.0}
    assert checks["database"] == [{"status": "fail", "output": "connection refused", **common}]
    assert checks["redis"] == [{"status": "fail", "output": "no route", **common}]
    assert checks["queue"] == [{"status": "warn", "output": "slow", **common}]
    assert checks["queue:depth"] == [{"observedValue": 12, "observedUnit": "messages"}]
    assert checks["disk"] == [{"status": "pass", **common}]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz"])
def test_a_probe_path_shows_details_only_on_request(app: HealthMiddleware, path: str) -> None:
    word = {"/livez": "pass", "/readyz": "fail", "/startupz": "pass"}[path]
    for query in (b"", b"t=17", b"unknown=option"):
        assert read(app, path, query).json == {"status": word}
    for query in (b"verbose", b"verbose=", b"verbose=1", b"x=y&verbose"):
        verbose = read(app, path, query).json
        assert verbose["status"] == word
        assert [name for name in verbose["checks"] if ":" not in name] == CHECKS[path]


def test_the_status_of_the_answer_is_the_same_with_and_without_details(app: HealthMiddleware) -> None:
    for path in CHECKS:
        replies = [get(app, path), *(read(app, path, query) for query in (b"", b"verbose", b"format=text"))]
        assert len({reply.status for reply in replies}) == 1


def test_the_text_is_in_the_format_of_kubernetes(app: HealthMiddleware) -> None:
    reply = read(app, "/readyz", b"format=text")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.status == 503
    assert reply.text.splitlines() == [
        "[-]database failed: connection refused",
        "[-]redis failed (not critical): no route",
        "[!]queue degraded: slow",
        "[+]disk ok",
        "readyz check failed",
    ]
    assert read(app, "/livez", b"verbose&format=text").text.splitlines()[-1] == "livez check passed"
    assert read(app, "/startupz", b"format=text").text.splitlines()[-1] == "startupz check passed"
    assert read(app, "/health", b"format=text").text.splitlines()[-1] == "healthz check failed"


def test_exclude_leaves_a_check_out_of_this_answer_alone(app: HealthMiddleware) -> None:
    reply = read(app, "/readyz", b"verbose&exclude=database")
    assert (reply.status, reply.json["status"]) == (200, "warn")
    assert "database" not in reply.json["checks"]
    assert "left out on request: database" in reply.json["notes"]
    assert read(app, "/readyz").status == 503
    assert get(app).status == 503


def test_exclude_changes_the_minimal_answer_to_an_authorised_reader(app: HealthMiddleware) -> None:
    assert read(app, "/readyz", b"exclude=database").body == b'{"status":"warn"}'
    assert read(app, "/readyz", b"exclude=redis").body == b'{"status":"fail"}'
    assert get(app, "/readyz", b"exclude=database").body == b'{"status":"fail"}'


def test_exclude_may_be_repeated(app: HealthMiddleware) -> None:
    reply = read(app, "/readyz", b"verbose&exclude=database&exclude=redis&exclude=queue")
    assert reply.json["status"] == "pass"
    assert list(reply.json["checks"]) == ["disk"]
    text = read(app, "/readyz", b"format=text&exclude=database&exclude=redis&exclude=queue").text
    assert "[+]database excluded: ok" in text
    assert text.splitlines()[-1] == "readyz check passed"


def test_excluding_everything_does_not_hide_a_drain(app: HealthMiddleware) -> None:
    app.health.drain()
    query = b"verbose" + b"".join(b"&exclude=" + name.encode() for name in READINESS)
    reply = read(app, "/readyz", query)
    assert (reply.status, reply.json["status"]) == (503, "fail")
    assert any(note.startswith("the app has been draining for ") for note in reply.json["notes"])


def test_an_exclude_without_a_known_name_changes_no_status(app: HealthMiddleware) -> None:
    for query in (b"exclude=", b"exclude", b"exclude=databse", b"exclude=DATABASE", b"exclude=database,redis"):
        assert read(app, "/readyz", query).status == 503


@pytest.mark.parametrize("path", ["/readyz/database", "/health/ready/database", "/readyz/database/"])
def test_one_check_is_shown_below_its_probe(app: HealthMiddleware, path: str) -> None:
    reply = read(app, path)
    assert reply.status == 503
    assert list(reply.json["checks"]) == ["database"]
    assert reply.json["checks"]["database"][0]["output"] == "connection refused"


def test_one_check_is_found_below_a_root_path(app: HealthMiddleware) -> None:
    for path in ("/api/readyz/database", "/readyz/database"):
        assert get(app, path, root_path="/api", headers=with_token(b"secret")).status == 503
    assert get(app, "/apiX/readyz/database", root_path="/api", headers=with_token(b"secret")).from_app


def test_one_check_has_a_status_of_its_own(app: HealthMiddleware) -> None:
    words = {name: read(app, f"/readyz/{name}").json["status"] for name in READINESS}
    assert words == {"database": "fail", "redis": "warn", "queue": "warn", "disk": "pass"}
    assert read(app, "/readyz/redis").status == 200


def test_one_check_is_answered_as_text_and_to_head_too(app: HealthMiddleware) -> None:
    text = read(app, "/readyz/database", b"format=text")
    assert text.text.splitlines()[0] == "[-]database failed: connection refused"
    head = read(app, "/readyz/database", method="HEAD")
    assert (head.status, head.body) == (503, b"")
    assert head.headers["content-length"] == str(len(read(app, "/readyz/database").body))


@pytest.mark.parametrize(
    "path", ["/readyz/loop", "/livez/database", "/startupz/database", "/readyz/unknown", "/readyz/DATABASE", "/livez/x"]
)
def test_a_check_of_another_probe_or_of_none_is_not_found(app: HealthMiddleware, path: str) -> None:
    assert (read(app, path).status, read(app, path).body) == (404, b"not found\n")


@pytest.mark.parametrize("path", ["/readyz/database/x", "/health/database", "/healthz/database", "/readyz//"])
def test_a_path_that_is_not_one_name_below_a_probe_reaches_the_app(app: HealthMiddleware, path: str) -> None:
    assert read(app, path).from_app


def test_another_method_for_one_check_is_a_405(app: HealthMiddleware) -> None:
    assert read(app, "/readyz/database", method="POST").status == 405


def test_strangers_get_the_same_answer_for_a_check_and_for_an_unknown_name(app: HealthMiddleware) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "POST", "DELETE"):
        for query in (b"", b"format=text"):
            real = get(app, "/readyz/database", query, method=method)
            made_up = get(app, "/readyz/nothing", query, method=method)
            assert real.messages == made_up.messages
            assert real.status == 404


@pytest.mark.parametrize("path", ["/readyz/database", "/livez/disk", "/health/ready/database"])
def test_without_details_the_paths_below_a_probe_reach_the_app(path: str) -> None:
    app = HealthMiddleware(echo_nothing, health_with(Clock(), (make_check("database"), healthy())))
    assert get(app, path).from_app


def test_strangers_learn_no_name_output_version_or_time(app: HealthMiddleware) -> None:
    secrets = {*CHECKS["/health"], "connection refused", "no route", "slow", "shop", "2.7.1", "time", "sells"}
    for path in (*CHECKS, "/readyz/database"):
        for query in (b"", b"verbose", b"format=text", b"exclude=database&verbose"):
            for headers in ([], with_token(b"secre"), with_token(b"secret2")):
                assert names_in(get(app, path, query, headers=headers), secrets) == set()


def test_without_a_service_the_details_name_none() -> None:
    assert read(middleware(Clock(), None), "/livez", b"verbose").json.keys() == {"status", "checks"}


def test_credentials_in_an_output_are_masked_in_every_answer() -> None:
    message = "cannot reach postgresql://admin:hunter2@db/shop?password=hunter2"
    health = health_with(Clock(), (make_check("database"), unhealthy(message)))
    app = HealthMiddleware(echo_nothing, health, details=True)
    for path, query in (
        ("/health", b""),
        ("/readyz", b"verbose"),
        ("/readyz", b"format=text"),
        ("/readyz/database", b""),
    ):
        reply = get(app, path, query)
        assert b"cannot reach" in reply.body
        assert b"hunter2" not in reply.everything


@pytest.mark.parametrize(
    "query",
    [
        b"verbose" + b"&a=b" * 1024,  # longer than the limit
        b"%",
        b"&&&==&%zz=%ff%fe",
        b"\xff\xfe\x00",
        b";verbose;format=text",
        b"VERBOSE",
    ],
)
def test_a_query_that_cannot_be_parsed_is_ignored(app: HealthMiddleware, query: bytes) -> None:
    assert read(app, "/readyz", query).body == b'{"status":"fail"}'
