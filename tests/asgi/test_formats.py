"""Which format a reader gets: by `?format=`, by the Accept header, and by leave."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asgi_health import HealthMiddleware, Probe, bearer_token, healthy, unhealthy
from asgi_health.asgi import details_cache
from asgi_health.asgi.types import Scope
from asgi_health.formats.answer import Answer
from asgi_health.formats.page import page_in_parts

from ..support.asgi_caller import Reply, echo_nothing, get, names_in
from ..support.known_state import Clock, health_with, make_check

BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PROBERS = (None, b"*/*", b"application/json", b"application/health+json", b"text/plain", b"text/html,application/json")
HTML, JSON, TEXT = "text/html; charset=utf-8", "application/health+json", "text/plain; charset=utf-8"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_app(clock: Clock, details: bool | Callable[[Scope], bool]) -> HealthMiddleware:
    health = health_with(
        clock,
        (make_check("database"), unhealthy("no route to 10.1.2.3")),
        (make_check("redis", critical=False), unhealthy("refused")),
        (make_check("loop", probes=(Probe.LIVENESS,)), healthy()),
    )
    return HealthMiddleware(echo_nothing, health, details=details)


@pytest.fixture
def app(clock: Clock) -> HealthMiddleware:
    return make_app(clock, bearer_token("secret"))


def read(
    app: HealthMiddleware,
    path: str = "/health",
    query: bytes = b"",
    *,
    accept: bytes | None = BROWSER,
    token: bytes = b"secret",
    method: str = "GET",
) -> Reply:
    headers = [(b"host", b"example.org"), (b"authorization", b"Bearer " + token)]
    headers += [] if accept is None else [(b"accept", accept)]
    return get(app, path, query, method=method, headers=headers).check_form()


@pytest.mark.parametrize("path", ["/health", "/healthz", "/health/"])
def test_a_browser_gets_the_page_at_the_paths_of_health(app: HealthMiddleware, path: str) -> None:
    reply = read(app, path)
    assert (reply.status, reply.headers["content-type"]) == (503, HTML)
    assert names_in(reply, {"database", "redis", "loop"}) == {"database", "redis", "loop"}


@pytest.mark.parametrize("accept", PROBERS)
def test_clients_that_do_not_prefer_html_get_json(app: HealthMiddleware, accept: bytes | None) -> None:
    for token in (b"secret", b"wrong"):
        assert read(app, accept=accept, token=token).headers["content-type"] == JSON


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz", "/readyz/database"])
def test_at_other_paths_the_accept_header_changes_nothing(app: HealthMiddleware, path: str) -> None:
    for query in (b"", b"verbose"):
        for token in (b"secret", b"wrong"):
            browser, prober = (read(app, path, query, accept=accept, token=token) for accept in (BROWSER, None))
            assert browser.messages == prober.messages


def test_the_query_has_precedence_over_the_accept_header(app: HealthMiddleware) -> None:
    assert read(app, query=b"format=json").headers["content-type"] == JSON
    assert read(app, query=b"format=text").headers["content-type"] == TEXT
    assert read(app, query=b"format=html", accept=b"*/*").headers["content-type"] == HTML
    assert "explain" in read(app, query=b"explain").json


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz"])
def test_a_probe_has_a_page_on_request(app: HealthMiddleware, path: str) -> None:
    reply = read(app, path, b"format=html", accept=None)
    assert reply.headers["content-type"] == HTML
    assert reply.status == read(app, path).status
    expected = {"/livez": {"loop"}, "/readyz": {"database", "redis"}, "/startupz": set[str]()}[path]
    assert {name for name in ("database", "redis", "loop") if f'id="check-{name}"' in reply.text} == expected


def test_a_single_check_has_no_page(app: HealthMiddleware) -> None:
    reply = read(app, "/readyz/database", b"format=html")
    assert (reply.status, reply.headers["content-type"]) == (400, TEXT)
    assert reply.text == "format: html is not there for a single check; expected json, text, atom or badge\n"


@pytest.mark.parametrize("query", [b"", b"format=html", b"format=json", b"verbose&explain", b"verbos", b"exclude=x"])
def test_a_browser_without_leave_gets_the_status_and_nothing_else(app: HealthMiddleware, query: bytes) -> None:
    reply = read(app, query=query, token=b"wrong")
    assert (reply.status, reply.headers["content-type"]) == (503, HTML)
    assert "fail" in reply.text
    assert names_in(reply, {"database", "redis", "10.1.2.3", "refused", "?signin"}) == set()
    assert reply.messages == read(app, token=b"wrong").messages


def test_a_browser_without_leave_reads_the_phase(app: HealthMiddleware) -> None:
    app.health.drain()
    assert "draining" in read(app, token=b"wrong").text


def test_where_details_are_off_every_client_gets_json(clock: Clock) -> None:
    app = make_app(clock, details=False)
    for query in (b"", b"format=html", b"t=1"):
        assert read(app, query=query).body == b'{"status":"fail"}'


def test_the_page_answers_head_and_options(app: HealthMiddleware) -> None:
    for token in (b"secret", b"wrong"):
        page = read(app, token=token)
        head = read(app, token=token, method="HEAD")
        assert (head.status, head.body, head.raw_headers) == (page.status, b"", page.raw_headers)
        assert read(app, token=token, method="OPTIONS").headers["allow"] == "GET, HEAD, OPTIONS"
        assert read(app, token=token, method="POST").status == 405


def test_a_page_is_at_most_half_a_second_old(
    app: HealthMiddleware, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[float] = []

    def render(*args: Any, wall: float, **options: Any) -> Iterator[Answer | None]:
        rendered.append(wall)
        return page_in_parts(*args, wall=wall, **options)

    monkeypatch.setattr(details_cache, "page_in_parts", render)
    for _ in range(2):
        for _ in range(100):
            read(app)
        clock.now += 0.5
    assert len(rendered) == 2
