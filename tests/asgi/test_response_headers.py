"""While the app drains its responses close kept connections; Envoy reads headers of its own."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import anyio
import pytest

from asgi_health import Drain, Health, HealthMiddleware, Paths, Probe, degraded, healthy, unhealthy
from asgi_health.asgi.types import App, Message, Receive, Scope, Send
from asgi_health.health import engine_of

from ..support.asgi_caller import ask, at_once, echo_nothing, get, http_scope
from ..support.known_state import Clock, health_with, make_check, record
from ..support.lifespan_apps import lifespan_app
from ..support.lifespan_driver import serving
from ..support.virtual_time import BACKENDS, clock_of, run_virtual
from ..support.waiting import wait_until_async

CLOSE = {"connection": "close"}
FAIL = {"x-envoy-immediate-health-check-fail": "true"}
DEGRADED = {"x-envoy-degraded": "true"}
ADDED = CLOSE.keys() | FAIL.keys() | DEGRADED.keys()

PROBES = ("/livez", "/readyz", "/startupz", "/health")


def added(app: App, path: str = "/ordinary", query: bytes = b"", **more: Any) -> dict[str, str]:
    """Return the headers of a response that the app itself does not send."""
    return {name: value for name, value in get(app, path, query, **more).headers.items() if name in ADDED}


def serving_health() -> Health:
    return health_with(Clock(), (make_check("database"), healthy()))


class Recorder:
    """An app that keeps the objects it is called with."""

    def __init__(self) -> None:
        self.called_with: tuple[object, ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called_with = scope, receive, send


def passes_on_the_same_objects(app: HealthMiddleware, recorder: Recorder, scope: Scope) -> bool:
    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        pass

    at_once(app(scope, receive, send))
    return all(a is b for a, b in zip(recorder.called_with, (scope, receive, send), strict=True))


# -- connection: close


def test_responses_close_the_connection_from_the_beginning_of_the_drain() -> None:
    health = serving_health()
    app = HealthMiddleware(echo_nothing, health)
    assert [added(app, path) for path in ("/ordinary", *PROBES)] == [{}] * 5
    health.drain()
    assert [added(app, path) for path in ("/ordinary", *PROBES)] == [CLOSE] * 5
    assert get(app, "/ordinary").from_app


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST"])
@pytest.mark.parametrize("details", [False, True])
def test_answers_of_every_kind_close_the_connection(method: str, details: bool) -> None:
    health = serving_health()
    app = HealthMiddleware(echo_nothing, health, details=details, drain=Drain(path="/drain", allow=lambda _: False))
    health.drain()
    for path in ("/readyz", "/health", "/readyz/database", "/readyz/nothing", "/drain"):
        assert added(app, path, b"verbose", method=method) == CLOSE


@pytest.mark.parametrize("version", ["1.0", "1.1", "2", "3"])
def test_http_2_and_3_have_no_connection_header(version: str) -> None:
    health = serving_health()
    app = HealthMiddleware(echo_nothing, health, drain=Drain(envoy=True))
    health.drain()
    expected = CLOSE | FAIL if version.startswith("1.") else FAIL
    for path in ("/ordinary", *PROBES):
        assert added(app, path, http_version=version) == expected


def test_a_probe_asked_over_http_2_after_one_over_http_1_gets_its_own_headers() -> None:
    health = serving_health()
    app = HealthMiddleware(echo_nothing, health)
    health.drain()
    assert [added(app, "/readyz", http_version=version) for version in ("1.1", "2", "1.1")] == [CLOSE, {}, CLOSE]


@pytest.mark.parametrize("name", [b"connection", b"Connection"])
def test_a_connection_header_of_the_app_stays_alone(name: bytes) -> None:
    async def upgrades(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 426, "headers": [(name, b"upgrade")]})
        await send({"type": "http.response.body", "body": b""})

    health = serving_health()
    app = HealthMiddleware(upgrades, health)
    health.drain()
    assert get(app, "/ordinary").raw_headers == [(name, b"upgrade")]


@pytest.mark.parametrize(
    "headers", [{}, {"headers": ((b"a", b"b"),)}, {"headers": iter([[b"a", b"b"]])}], ids=["none", "tuple", "iterator"]
)
def test_headers_may_be_missing_and_of_any_iterable_and_stay_unchanged(headers: dict[str, Any]) -> None:
    message = {"type": "http.response.start", "status": 200, "trailers": False, **headers}
    before = dict(message)

    async def shares_its_messages(scope: Scope, receive: Receive, send: Send) -> None:
        await send(message)
        await send({"type": "http.response.body", "body": b""})

    health = serving_health()
    app = HealthMiddleware(shares_its_messages, health)
    health.drain()
    reply = get(app, "/ordinary")
    assert [tuple(each) for each in reply.raw_headers] == ([(b"a", b"b")] if headers else []) + [
        (b"connection", b"close")
    ]
    assert reply.messages[0]["trailers"] is False
    assert message == before


def test_a_response_to_a_request_from_before_the_drain_is_left_alone() -> None:
    health = serving_health()

    async def drains_in_the_middle(scope: Scope, receive: Receive, send: Send) -> None:
        health.drain()
        await echo_nothing(scope, receive, send)

    app = HealthMiddleware(drains_in_the_middle, health)
    assert [added(app), added(app)] == [{}, CLOSE]


def test_bodies_and_other_messages_pass_unchanged() -> None:
    messages: list[Message] = [
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.pathsend", "path": "/file"},
        {"type": "http.response.trailers", "headers": [(b"a", b"b")]},
    ]

    async def sends_them(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    health = serving_health()
    health.drain()
    sent = get(HealthMiddleware(sends_them, health), "/ordinary").messages
    assert len(sent) == 3
    assert [each is message for each, message in zip(sent, messages, strict=True)] == [False, True, True]


@pytest.mark.parametrize("draining", [False, True])
@pytest.mark.parametrize("kind", ["websocket", "http"])
def test_only_a_request_over_http_during_a_drain_gets_a_send_of_its_own(kind: str, draining: bool) -> None:
    health, recorder = serving_health(), Recorder()
    app = HealthMiddleware(recorder, health, drain=Drain(envoy=True))
    get_first = http_scope("/first")
    passes_on_the_same_objects(app, recorder, get_first)  # the first request starts the services
    if draining:
        health.drain()
    scope = http_scope("/ordinary", type=kind)
    assert passes_on_the_same_objects(app, recorder, scope) is not (kind == "http" and draining)


# -- when a drain begins and ends


def test_after_a_temporary_drain_requests_pass_unchanged_again() -> None:
    health, recorder = serving_health(), Recorder()
    app = HealthMiddleware(recorder, health)
    seen = []
    for active in (False, True, False):
        engine_of(health).set_temporary_drain(active, 0.0)
        seen.append(passes_on_the_same_objects(app, recorder, http_scope("/ordinary")))
    assert seen == [True, False, True]


def test_a_drain_file_closes_connections_while_it_exists(tmp_path: Any) -> None:
    file = tmp_path / "drain"
    app = HealthMiddleware(lifespan_app, drain=Drain(delay=0, file=file), slow_loop=0)

    async def main() -> None:
        async with serving(app):
            assert added(app) == {}
            file.touch()
            await wait_until_async(lambda: added(app) == CLOSE, "responses close the connection")
            file.unlink()
            await wait_until_async(lambda: added(app) == {}, "responses keep the connection")

    anyio.run(main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_new_lifespan_ends_the_drain(backend: str) -> None:
    health = Health(clock=clock_of(backend))
    app = HealthMiddleware(lifespan_app, health)

    async def main() -> list[dict[str, str]]:
        seen = []
        for _ in range(2):
            async with serving(app):
                seen.append((await ask(app, "/ordinary")).headers)
                health.drain()
                seen.append((await ask(app, "/ordinary")).headers)
        return seen

    assert run_virtual(backend, main) == [{}, CLOSE, {}, CLOSE]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("first_request", ["before", "after"])
def test_without_a_lifespan_the_drain_may_begin_before_the_first_request(first_request: str, backend: str) -> None:
    health = Health(clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health, drain=Drain(delay=0, path="/drain", allow=True), slow_loop=0)

    async def main() -> None:
        if first_request == "before":
            assert (await ask(app, "/ordinary")).headers == {}
        health.drain()
        for _ in range(2):
            assert (await ask(app, "/ordinary")).headers == CLOSE

    run_virtual(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_endpoint_closes_connections_and_so_does_its_own_answer(backend: str) -> None:
    drain = Drain(delay=5.0, path="/drain", allow=True, envoy=True)
    app = HealthMiddleware(lifespan_app, Health(clock=clock_of(backend)), drain=drain, slow_loop=0)

    async def main() -> None:
        async with serving(app):
            reply = await ask(app, "/drain", "POST")
            assert reply.headers.items() >= (CLOSE | FAIL).items()
            assert (await ask(app, "/ordinary")).headers == CLOSE | FAIL

    run_virtual(backend, main)


def test_a_crashed_lifespan_does_not_end_the_drain() -> None:
    async def crashes(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            app.health.drain()
            raise RuntimeError("the broker went away")
        await echo_nothing(scope, receive, send)

    app = HealthMiddleware(crashes, drain=Drain(delay=0, path="/drain", allow=True), slow_loop=0)

    async def main() -> None:
        with pytest.raises(RuntimeError, match="broker"):
            async with serving(app):
                pass
        for _ in range(2):
            assert (await ask(app, "/ordinary")).headers == CLOSE

    anyio.run(main)


def end_of_a_temporary_drain(app: HealthMiddleware) -> None:
    engine_of(app.health).set_temporary_drain(False, 1.0)


def first_request(app: HealthMiddleware) -> None:
    assert get(app, "/first").from_app


@pytest.mark.parametrize("change", [end_of_a_temporary_drain, first_request])
def test_a_drain_that_begins_in_the_middle_of_a_change_closes_connections(
    change: Callable[[HealthMiddleware], None],
) -> None:
    """A signal handler may run wherever the code that it interrupts calls a function or returns from one."""
    moment = 0
    for moment in count():
        headers, moments = change_interrupted_at(moment, change)
        if moments <= moment:  # it was over before: not every run has the same number of moments
            break
        assert headers == CLOSE, f"interrupted at moment {moment} of {moments}"
    assert moment > 10


def change_interrupted_at(moment: int, change: Callable[[HealthMiddleware], None]) -> tuple[dict[str, str], int]:
    """Drain at one moment of a change; return the headers of the next response, and the number of moments."""
    health = serving_health()
    app = HealthMiddleware(echo_nothing, health, drain=Drain(delay=0, path="/drain", allow=True), slow_loop=0)
    engine_of(health).set_temporary_drain(change is end_of_a_temporary_drain, 0.0)
    if change is end_of_a_temporary_drain:
        first_request(app)
    moments = 0

    def hook(frame: object, event: str, argument: object) -> None:
        nonlocal moments
        if event in ("call", "return"):
            if moments == moment:
                sys.setprofile(None)
                health.drain()
                sys.setprofile(hook)
            moments += 1

    with profiled(hook):
        change(app)
    return added(app), moments


@contextmanager
def profiled(hook: Callable[[object, str, object], None]) -> Iterator[None]:
    before = sys.getprofile()
    sys.setprofile(hook)
    try:
        yield
    finally:
        sys.setprofile(before)


def test_of_several_middlewares_around_one_health_each_header_is_added_once() -> None:
    health = serving_health()
    inner_paths = Paths(health=None, live=None, ready="/inner", startup=None)
    inner = HealthMiddleware(echo_nothing, health, paths=inner_paths, drain=Drain(envoy=True), envoy_degraded=True)
    app = HealthMiddleware(inner, health, drain=Drain(envoy=True), envoy_degraded=True)
    health.drain()
    for path in ("/ordinary", "/inner", "/readyz"):
        assert added(app, path) == CLOSE | FAIL  # `headers` fails where one is sent twice


# -- Envoy


def test_envoy_fails_the_instance_at_once_while_it_drains_and_only_then() -> None:
    health = serving_health()
    app = HealthMiddleware(echo_nothing, health, drain=Drain(envoy=True), details=True)
    paths = ("/ordinary", *PROBES, "/readyz/database", "/readyz/nothing")
    assert [added(app, path) for path in paths] == [{}] * 7
    health.drain()
    assert [added(app, path) for path in paths] == [CLOSE | FAIL] * 7


@pytest.mark.parametrize(
    ("result", "expected"),
    [(healthy(), {}), (degraded("slow"), DEGRADED), (unhealthy("down"), {})],
    ids=["pass", "warn", "fail"],
)
@pytest.mark.parametrize("path", ["/readyz", "/health", "/readyz/"])
@pytest.mark.parametrize("query", [b"", b"verbose", b"format=text"])
@pytest.mark.parametrize("details", [False, True])
def test_a_warning_of_readiness_or_health_degrades_the_instance(
    result: Any, expected: dict[str, str], path: str, query: bytes, details: bool
) -> None:
    health = health_with(Clock(), (make_check("database"), result))
    app = HealthMiddleware(echo_nothing, health, details=details, envoy_degraded=True)
    for method in ("GET", "HEAD"):
        assert added(app, path, query, method=method) == expected
    assert added(HealthMiddleware(echo_nothing, health, details=details), path, query) == {}


def test_a_warning_of_liveness_or_of_one_check_does_not_degrade_the_instance() -> None:
    check = make_check("loop", probes=(Probe.LIVENESS, Probe.READINESS))
    app = HealthMiddleware(
        echo_nothing, health_with(Clock(), (check, degraded("slow"))), details=True, envoy_degraded=True
    )
    for path in ("/livez", "/startupz", "/readyz/loop", "/ordinary"):
        assert added(app, path) == added(app, path, b"verbose") == {}
    assert added(app, "/readyz") == DEGRADED


def test_an_answer_without_the_check_that_warns_does_not_degrade_the_instance() -> None:
    health = health_with(Clock(), (make_check("mail"), degraded("slow")), (make_check("database"), healthy()))
    app = HealthMiddleware(echo_nothing, health, details=True, envoy_degraded=True)
    for query in (b"exclude=mail", b"verbose&exclude=mail"):
        assert added(app, "/readyz", query) == {}
    for query in (b"exclude=database", b"verbose&exclude=database"):
        assert added(app, "/readyz", query) == DEGRADED


def test_the_header_comes_and_goes_with_the_warning_without_a_request() -> None:
    clock = Clock()
    health = health_with(clock, (make_check("database"), healthy()))
    app = HealthMiddleware(echo_nothing, health, envoy_degraded=True)
    for result, expected in ((healthy(), {}), (degraded("slow"), DEGRADED), (healthy(), {})):
        clock.now += 20.0
        record(health, clock, {"database": result})
        assert added(app, "/readyz") == expected


def test_a_warning_is_not_shown_while_the_app_drains() -> None:
    health = health_with(Clock(), (make_check("database"), degraded("slow")))
    app = HealthMiddleware(echo_nothing, health, drain=Drain(envoy=True), envoy_degraded=True)
    health.drain()
    assert added(app, "/readyz") == CLOSE | FAIL


# -- configuration


@pytest.mark.parametrize("value", [None, 1, "true"])
def test_an_option_that_is_not_a_bool_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="drain: envoy must be of type bool"):
        Drain(envoy=value)
    with pytest.raises(TypeError, match="envoy_degraded must be of type bool"):
        HealthMiddleware(echo_nothing, envoy_degraded=value)


def test_a_drain_for_envoy_alone_leaves_signals_alone() -> None:
    health = serving_health()
    app = HealthMiddleware(echo_nothing, health, drain=Drain(delay=0, envoy=True))
    health.drain()
    assert added(app) == CLOSE | FAIL
