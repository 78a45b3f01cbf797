"""While the app drains the listener closes kept connections, and its answers carry the header that Envoy reads."""

import pytest

from asgi_health import Drain, Health, HealthMiddleware, Listener, degraded
from asgi_health.listener.connection import MAX_REQUESTS

from ..servers.wire import Answer, Connection
from ..support.app_thread import loop_of, running_app
from ..support.lifespan_apps import lifespan_app
from ..support.waiting import wait_until

pytestmark = pytest.mark.timeout(60)

PATHS = ("/livez", "/readyz", "/startupz", "/health", "/elsewhere")
FAIL = "x-envoy-immediate-health-check-fail"


def added(answer: Answer) -> tuple[list[str], list[str]]:
    return answer.all("connection"), answer.all(FAIL)


@pytest.mark.parametrize("envoy", [False, True])
def test_a_kept_connection_is_closed_with_the_first_answer_of_the_drain(path: str, envoy: bool) -> None:
    drain = Drain(delay=0, path="/drain", allow=True, envoy=envoy)
    app = HealthMiddleware(lifespan_app, drain=drain, listener=Listener(path), slow_loop=0)
    with running_app(app):
        for target in PATHS:
            with Connection(path) as kept:
                assert added(kept.ask("GET", target)) == ([], [])
        with Connection(path) as kept:
            assert added(kept.ask("GET", "/readyz")) == ([], [])
            app.health.drain()
            assert added(kept.ask("GET", "/readyz")) == (["close"], ["true"] * envoy)
            assert kept.rest() == b""
        for target in PATHS:
            with Connection(path) as kept:
                assert added(kept.ask("GET", target)) == (["close"], ["true"] * envoy)
                assert kept.rest() == b""


def test_the_last_answer_on_a_connection_has_the_header_once(path: str) -> None:
    app = HealthMiddleware(lifespan_app, listener=Listener(path), slow_loop=0)
    with running_app(app), Connection(path) as kept:
        for _ in range(MAX_REQUESTS - 1):
            assert added(kept.ask("GET", "/livez")) == ([], [])
        app.health.drain()
        assert added(kept.ask("GET", "/livez")) == (["close"], [])
        assert kept.rest() == b""


def test_a_program_without_a_server_shows_a_warning_to_envoy_too(path: str) -> None:
    health = Health({"mail": lambda: degraded("slow")})
    program = health.running(listener=Listener(path), slow_loop=0, envoy_degraded=True)
    with loop_of() as portal, portal.wrap_async_context_manager(program):
        wait_until(lambda: health.report().checks[0].state.result is not None, "the check has run")
        with Connection(path) as kept:
            seen = {target: kept.ask("GET", target).all("x-envoy-degraded") for target in PATHS}
    assert seen == {target: ["true"] if target in ("/readyz", "/health") else [] for target in PATHS}
