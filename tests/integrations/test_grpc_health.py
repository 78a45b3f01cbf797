"""What gRPC clients are answered, from before the app's startup to its end, and while its event loop is blocked."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2

from asgi_health import Check, Health, HealthMiddleware, Listener, Result, Status
from asgi_health.integrations.grpc import Grpc
from tests.support.app_thread import BOTH, Blocked, Step, loop_of, running_app, starting_app, starts_when
from tests.support.asgi_caller import ask as ask_app
from tests.support.asgi_caller import echo_nothing
from tests.support.grpc_client import (
    NOT_SERVING,
    SERVICE_UNKNOWN,
    SERVING,
    Client,
    Watching,
    connected,
    held_port,
)
from tests.support.lifespan_apps import lifespan_app, make_app
from tests.support.services import stop_services
from tests.support.waiting import wait_until

PROBES = ("", "readiness", "liveness", "startup")
BRISK: dict[str, Any] = {"interval": 0.02, "retry_interval": 0.02, "failure_threshold": 1}
READY, LIVE = 0.6, 1.8  # far enough apart for a busy machine
HAS_LIST = hasattr(health_pb2, "HealthListResponse")


@pytest.fixture(params=BOTH)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def port() -> Iterator[int]:
    with held_port() as port:
        yield port


@pytest.fixture
def address(port: int) -> str:
    return f"127.0.0.1:{port}"


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with connected(address) as client:
        yield client


def statuses(client: Client) -> list[str]:
    return [client.check(probe) for probe in PROBES]


def wait_for(client: Client, *expected: str) -> None:
    wait_until(lambda: statuses(client) == list(expected), lambda: f"{expected}, not {statuses(client)}")


def wait_until_it_serves(client: Client) -> None:
    wait_for(client, SERVING, SERVING, SERVING, SERVING)


class Switch:
    """A dependency that returns what a test sets."""

    def __init__(self, status: Status = Status.HEALTHY) -> None:
        self.status = status

    async def __call__(self) -> Result:
        return Result(self.status, "postgresql://shop:hunter2@db/shop")


def app_with(health: Health, *integrations: Grpc, **options: Any) -> HealthMiddleware:
    return HealthMiddleware(lifespan_app, health, integrations=integrations, **options)


def test_an_app_that_starts_is_live_and_nothing_else(address: str, client: Client, loop: str) -> None:
    step = Step()
    app = HealthMiddleware(make_app(starts_when(step)), integrations=[Grpc(address)])
    with loop_of(loop) as portal, starting_app(app, portal) as server:
        wait_for(client, NOT_SERVING, NOT_SERVING, SERVING, NOT_SERVING)
        watching = Watching(client, "startup")
        watching.wait_for(NOT_SERVING)
        step.go()
        wait_until_it_serves(client)
        watching.wait_for(NOT_SERVING, SERVING)
        portal.call(server.send, "shutdown")
        wait_until(lambda: client.check("liveness") == "UNAVAILABLE", "it ends with the app")


def test_a_failing_check_fails_readiness_and_not_liveness(address: str, client: Client) -> None:
    database = Switch()
    with running_app(app_with(Health([Check("database", database, **BRISK)]), Grpc(address))):
        wait_until_it_serves(client)
        watching = Watching(client)
        watching.wait_for(SERVING)
        database.status = Status.UNHEALTHY
        wait_for(client, NOT_SERVING, NOT_SERVING, SERVING, SERVING)
        watching.wait_for(SERVING, NOT_SERVING)
        database.status = Status.HEALTHY
        watching.wait_for(SERVING, NOT_SERVING, SERVING)


def test_a_warning_is_serving(address: str, client: Client) -> None:
    health = Health([Check("cache", Switch(Status.DEGRADED), **BRISK)])
    with running_app(app_with(health, Grpc(address, checks=True))):
        wait_until_it_serves(client)
        assert health.report().status is Status.DEGRADED
        assert client.check("cache") == SERVING


def test_a_result_that_grows_stale_is_not_serving_although_no_transition_says_so(address: str, client: Client) -> None:
    now = [1000.0]
    checks = [Check("database", Switch(), interval=3600.0, max_age=4000.0)]
    health = Health(checks, clock=lambda: now[0])
    with running_app(app_with(health, Grpc(address, checks=True))):
        wait_until_it_serves(client)
        now[0] += 3599.0
        assert client.check() == SERVING
        now[0] += 402.0  # the runner, which waits in real time, does not see it
        assert client.check() == client.check("database") == NOT_SERVING
        Watching(client).wait_for(NOT_SERVING)


def test_a_failure_to_find_the_status_is_not_serving_and_tells_the_client_nothing(
    address: str, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    broken = threading.Event()

    def clock() -> float:
        if broken.is_set() and threading.current_thread().name.startswith("asgi-health grpc"):
            raise RuntimeError("hunter2")
        return 1000.0

    with running_app(app_with(Health(clock=clock), Grpc(address))):
        wait_until_it_serves(client)
        broken.set()
        wait_for(client, *[NOT_SERVING] * 4)
        logged = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert [record.getMessage() for record in logged] == [
            "the gRPC service '' could not be answered, and counts as NOT_SERVING"
        ]


@pytest.mark.parametrize("checks", [False, True])
def test_checks_are_services_only_if_asked(checks: bool, address: str, client: Client) -> None:
    database = Switch()
    health = Health([Check("database", database, **BRISK, critical=False)])
    with running_app(app_with(health, Grpc(address, checks=checks))):
        wait_until_it_serves(client)
        assert client.check("database") == (SERVING if checks else "NOT_FOUND")
        assert client.check("databases") == "NOT_FOUND"
        if HAS_LIST:
            assert client.all() == dict.fromkeys([*PROBES, *(["database"] if checks else [])], SERVING)
        watching = Watching(client, "cache")
        watching.wait_for(SERVICE_UNKNOWN)
        health.add(Check("cache", Switch(), **BRISK))
        wait_until(lambda: health.report().checks[1].state.time is not None, "it has a result")
        database.status = Status.UNHEALTHY
        if checks:
            wait_until(lambda: client.check("database") == NOT_SERVING, "the status is that of the check itself")
            assert client.check() == SERVING
            wait_until(lambda: watching.seen[-1] == SERVING, "a service that was unknown is sent when there is one")
            health.remove("cache")
            wait_until(lambda: watching.seen[-1] == SERVICE_UNKNOWN, "it is unknown again")
        else:
            assert watching.seen == [SERVICE_UNKNOWN]


def test_a_check_with_the_name_of_a_probe_does_not_hide_it(address: str, client: Client) -> None:
    health = Health([Check("liveness", Switch(Status.UNHEALTHY), **BRISK)])
    with running_app(app_with(health, Grpc(address, checks=True))):
        wait_until(lambda: health.report().status is Status.UNHEALTHY, "it fails")
        assert client.check("liveness") == SERVING


@pytest.mark.parametrize("options", [{"slow_loop": 0}, {"listener": True}], ids=["alone", "with a listener"])
def test_while_the_loop_is_blocked_first_readiness_fails_then_liveness(
    options: dict[str, Any], address: str, client: Client, loop: str
) -> None:
    if "listener" in options:
        options = {"listener": Listener("127.0.0.1:0", stall_ready=READY, stall_live=LIVE)}
    grpc_health = Grpc(address, stall_ready=READY, stall_live=LIVE)
    health = Health([Check("database", Switch(), interval=3600.0)])
    with running_app(app_with(health, grpc_health, **options), loop) as portal:
        wait_until_it_serves(client)
        readiness, liveness = Watching(client), Watching(client, "liveness")
        readiness.wait_for(SERVING)
        liveness.wait_for(SERVING)
        with Blocked(portal):
            wait_for(client, NOT_SERVING, NOT_SERVING, SERVING, SERVING)
            readiness.wait_for(SERVING, NOT_SERVING)
            wait_for(client, NOT_SERVING, NOT_SERVING, NOT_SERVING, SERVING)
            liveness.wait_for(SERVING, NOT_SERVING)
        wait_until_it_serves(client)
        readiness.wait_for(SERVING, NOT_SERVING, SERVING)
        liveness.wait_for(SERVING, NOT_SERVING, SERVING)


def test_an_app_whose_loop_has_ended_without_a_shutdown_serves_nothing(address: str, client: Client) -> None:
    app = HealthMiddleware(echo_nothing, integrations=[Grpc(address, stall_ready=0.1, stall_live=0.1)])
    with loop_of() as portal:
        portal.call(ask_app, app, "/ordinary")
        wait_until_it_serves(client)
    wait_for(client, NOT_SERVING, NOT_SERVING, NOT_SERVING, SERVING)
    stop_services(app)


def test_a_drain_fails_readiness_at_once_and_the_end_everything(address: str, client: Client, loop: str) -> None:
    health = Health()
    grpc_health = Grpc(address)
    for _ in range(2):  # each lifespan has a server of its own
        with running_app(app_with(health, grpc_health), loop):
            wait_until_it_serves(client)
            watching = {probe: Watching(client, probe) for probe in PROBES}
            for each in watching.values():
                each.wait_for(SERVING)
            health.drain()
            assert statuses(client) == [NOT_SERVING, NOT_SERVING, SERVING, SERVING]
            watching[""].wait_for(SERVING, NOT_SERVING)
            assert watching["liveness"].seen == [SERVING]
        for each in watching.values():
            wait_until(lambda each=each: each.code == "UNAVAILABLE", "the call ends")  # type: ignore[misc]
            assert each.seen == [SERVING, NOT_SERVING]


def test_it_has_no_thread_before_the_start_and_none_after_the_stop(address: str, client: Client) -> None:
    before = set(threading.enumerate())
    grpc_health = Grpc(address)
    app = app_with(Health(), grpc_health)
    assert set(threading.enumerate()) == before
    with running_app(app):
        wait_until_it_serves(client)
        Watching(client).wait_for(SERVING)
    wait_until(lambda: not {each for each in set(threading.enumerate()) - before if is_ours(each)}, "they have ended")


def is_ours(thread: threading.Thread) -> bool:
    return thread.name.startswith("asgi-health") or "_serve" in thread.name


def test_without_lifespan_it_starts_with_the_first_request_and_needs_no_probe_through_the_app(
    address: str, client: Client
) -> None:
    database = Switch()
    app = HealthMiddleware(echo_nothing, [Check("database", database, **BRISK)], integrations=[Grpc(address)])
    with loop_of() as portal:
        assert client.check() == "UNAVAILABLE"
        portal.call(ask_app, app, "/ordinary")
        wait_until_it_serves(client)
        database.status = Status.UNHEALTHY
        wait_for(client, NOT_SERVING, NOT_SERVING, SERVING, SERVING)
        portal.call(stop, app)
    wait_until(lambda: client.check() == "UNAVAILABLE", "it has ended")


async def stop(app: HealthMiddleware) -> None:
    stop_services(app)


def test_credentials_are_those_of_the_server(address: str, port: int, client: Client) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    server = Grpc(f"localhost:{port}", credentials=grpc.ssl_server_credentials([pair]))
    trusted = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    with running_app(app_with(Health(), server)), connected(f"localhost:{port}", trusted) as secure:
        wait_until_it_serves(secure)
        assert client.check() == "UNAVAILABLE"


def test_a_name_that_no_service_can_have_is_refused(address: str, client: Client) -> None:
    with running_app(app_with(Health(), Grpc(address))):
        wait_until_it_serves(client)
        assert client.check("x" * 4000) == "NOT_FOUND"
        assert client.check("x" * 5000) == "RESOURCE_EXHAUSTED"
        assert client.check() == SERVING
