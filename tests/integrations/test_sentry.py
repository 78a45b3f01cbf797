"""One event in Sentry when a probe turns bad, from a real SDK whose transport keeps what it would send."""

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic
from typing import Any, NoReturn

import httpx
import pytest
import sentry_sdk
import sentry_sdk.traces
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.httpx import HttpxIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport

from asgi_health import Check, Health, HealthMiddleware, Listener
from asgi_health.integrations.sentry import report_to_sentry
from asgi_health.testing import lifespan, settled
from tests.apps import plain_app
from tests.support.waiting import wait_until_async

from .instrumented_drivers import http_server

pytestmark = pytest.mark.anyio

BRISK: dict[str, Any] = {"interval": 0.02, "retry_interval": 0.02, "failure_threshold": 1}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


Events = list[dict[str, Any]]


Sent = dict[str, list[dict[str, Any]]]


@contextmanager
def sentry(**options: Any) -> Generator[Sent]:
    """Initialise Sentry with its integration for logging, and yield what it sends by kind."""
    sent: Sent = {"event": [], "transaction": [], "span": []}

    class Memory(Transport):
        def capture_envelope(self, envelope: Envelope) -> None:
            for item in envelope.items:
                sent.setdefault(str(item.headers.get("type")), []).append(item.payload.json or {})

    integrations = [LoggingIntegration(), *options.pop("integrations", [])]
    sentry_sdk.init(
        "http://key@127.0.0.1:9/1", transport=Memory, default_integrations=False, integrations=integrations, **options
    )
    try:
        yield sent
    finally:
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)


@pytest.fixture
def events() -> Generator[Events]:
    """Initialise Sentry, and return the list of the events that it sends."""
    with sentry() as sent:
        yield sent["event"]


class Switch:
    """A dependency that fails while `broken` is not empty."""

    def __init__(self) -> None:
        self.broken = ""
        self.runs = 0

    async def __call__(self) -> None:
        self.runs += 1
        if self.broken:
            raise ConnectionError(self.broken)


async def fail() -> NoReturn:
    raise ConnectionError("refused")


async def pass_() -> None:
    """Pass."""


async def test_one_event_per_incident_and_none_per_failing_run_or_recovery(events: Events) -> None:
    database = Switch()
    health = Health([Check("database", database, **BRISK), Check("cache", pass_)])
    report_to_sentry(health)
    async with lifespan(HealthMiddleware(plain_app, health)):
        await settled(health)
        for incident in (1, 2):
            database.broken = "postgresql://shop:hunter2@db/shop refused"
            await wait_until_async(lambda count=incident: len(events) >= count, "the event is sent")  # type: ignore[misc]
            runs = database.runs
            await wait_until_async(lambda runs=runs: database.runs > runs + 3, "it fails again and again")  # type: ignore[misc]
            database.broken = ""
            await wait_until_async(lambda: health.report().status.name == "HEALTHY", "it passes again")
    assert len(events) == 2
    for event in events:
        assert event["message"] == "readiness fails: database"
        assert event["level"] == "error"
        assert event["fingerprint"] == ["asgi_health", "readiness", "check"]
        assert event["tags"] == {"health.probe": "readiness", "health.cause": "check"}
        assert event["contexts"]["health"]["probe"] == "readiness"
        (check,) = event["contexts"]["health"]["checks"]
        assert check["name"] == "database"
        assert check["critical"] is True
        assert "refused" in check["message"]
        assert "hunter2" not in json.dumps(event)


async def test_a_dependency_that_fails_from_the_start_is_an_incident(events: Events) -> None:
    health = Health({"database": fail})
    report_to_sentry(health)
    async with lifespan(HealthMiddleware(plain_app, health)):
        await wait_until_async(lambda: bool(events), "the event is sent")
    assert [event["tags"] for event in events] == [{"health.probe": "readiness", "health.cause": "check"}]


async def test_a_start_a_drain_and_an_end_are_no_incidents(events: Events) -> None:
    health = Health({"database": pass_})
    report_to_sentry(health)
    for _ in range(2):
        async with lifespan(HealthMiddleware(plain_app, health)):
            await settled(health)
            health.drain()
    assert events == []


async def test_an_incident_ends_with_the_lifespan(events: Events) -> None:
    health = Health({"database": fail})
    report_to_sentry(health)
    for count in (1, 2):
        async with lifespan(HealthMiddleware(plain_app, health)):
            await wait_until_async(lambda count=count: len(events) == count, "the event is sent")  # type: ignore[misc]


async def test_a_blocked_event_loop_is_reported_while_it_lasts(events: Events) -> None:
    health = Health({"database": pass_})
    report_to_sentry(health)
    listener = Listener("127.0.0.1:0", stall_ready=0.2)
    async with lifespan(HealthMiddleware(plain_app, health, listener=listener, slow_loop=0.1)):
        await settled(health)
        end = time.monotonic() + 20.0
        while not events and time.monotonic() < end:
            time.sleep(0.02)  # noqa: ASYNC251  blocks the loop
        assert [event["message"] for event in events] == ["readiness fails: the event loop is blocked"]
        assert events[0]["fingerprint"] == ["asgi_health", "readiness", "stalled"]


async def test_stale_results_are_one_incident_of_which_ten_checks_are_described(events: Events) -> None:
    past = [0.0]
    health = Health([Check(f"shard-{number:02}", pass_) for number in range(12)], clock=lambda: monotonic() + past[0])
    report_to_sentry(health)
    async with lifespan(HealthMiddleware(plain_app, health)):
        await settled(health)
        past[0] = 35.0  # longer than the results count
        await wait_until_async(lambda: bool(events), "the event is sent")
    (event,) = events
    names = [each["name"] for each in event["contexts"]["health"]["checks"]]
    assert len(names) == 10
    assert event["message"] == f"readiness fails: no new result: {', '.join(names)} and 2 more"
    assert event["fingerprint"] == ["asgi_health", "readiness", "stale"]


async def test_a_check_that_does_not_fail_the_probe_is_no_incident(events: Events) -> None:
    health = Health([Check("search", fail, critical=False, **BRISK)])
    report_to_sentry(health)
    async with lifespan(HealthMiddleware(plain_app, health)):
        await settled(health)
    assert events == []


async def test_after_cancel_no_event_is_sent(events: Events) -> None:
    database = Switch()
    health = Health([Check("database", database, **BRISK)])
    report_to_sentry(health).cancel()
    async with lifespan(HealthMiddleware(plain_app, health)):
        await settled(health)
        database.broken = "refused"
        await wait_until_async(lambda: health.report().status.name == "UNHEALTHY", "it fails")
    assert events == []


@pytest.mark.parametrize("lifecycle", ["static", "stream"])
async def test_a_driver_makes_no_transaction_in_a_check(lifecycle: str) -> None:
    with (
        http_server() as url,
        sentry(traces_sample_rate=1.0, trace_lifecycle=lifecycle, integrations=[HttpxIntegration()]) as sent,
    ):
        async with httpx.AsyncClient(trust_env=False) as client:

            async def ask() -> None:
                assert (await client.get(url)).is_success

            health = Health({"search": ask})
            async with lifespan(HealthMiddleware(plain_app, health)):
                await settled(health)
                assert health.report().status.name == "HEALTHY"
            sentry_sdk.flush()
            assert sent["transaction"] == sent["span"] == []
            begin: Any = sentry_sdk.traces.start_span if lifecycle == "stream" else sentry_sdk.start_transaction
            with begin(name="a request"):  # so the driver is instrumented indeed
                await ask()
            sentry_sdk.flush()
    transactions = [each for each in sent["transaction"] if each["spans"]]
    segments = [each for each in sent["span"] if len(each["items"]) == 2]
    assert len(transactions) + len(segments) == 1


def test_an_argument_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="report_to_sentry: health"):
        report_to_sentry({})  # type: ignore[arg-type]
