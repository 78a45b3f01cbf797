"""OpenTelemetry: what a real SDK collects of the metrics and the spans of checks."""

import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

import anyio
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, StatusCode

from asgi_health import Check, Health, HealthMiddleware, Probe, degraded, healthy
from asgi_health.core.failure_category import CATEGORIES
from asgi_health.formats.metrics import Metric
from asgi_health.integrations.opentelemetry import SERIES, instrument
from asgi_health.testing import lifespan, probe, settled
from tests.apps import plain_app
from tests.support.known_state import Clock, health_with, make_check
from tests.support.recording_checks import Counted
from tests.support.virtual_time import clock_of, run_virtual
from tests.support.waiting import wait_until_async

from .instrumented_drivers import DRIVERS, instrumented

pytestmark = pytest.mark.anyio

families = sys.modules["asgi_health.formats.metrics.families"]
"""The function of the same name hides the module."""

NO_RETRY: Mapping[str, Any] = {"interval": 3600.0, "retry_interval": 3600.0, "max_age": 5000.0}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Metrics:
    """A meter provider, and what it collects."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)

    def points(self) -> dict[str, list[NumberDataPoint | HistogramDataPoint]]:
        """Return the points of each instrument."""
        collected = self._reader.get_metrics_data()
        metrics = [
            metric
            for resource in (collected.resource_metrics if collected else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]
        return {metric.name: list(metric.data.data_points) for metric in metrics}  # type: ignore[arg-type]

    def values(self, name: str) -> dict[tuple[object, ...], float]:
        """Return the values of an instrument by the values of its attributes."""
        points = self.points().get(name, [])
        return {
            tuple((point.attributes or {}).values()): point.value
            for point in points
            if isinstance(point, NumberDataPoint)
        }

    def present(self, name: str) -> set[tuple[object, ...]]:
        """Return the attributes of the points that are 1; the others must be 0."""
        values = self.values(name)
        assert set(values.values()) <= {0, 1}
        return {attributes for attributes, value in values.items() if value == 1}

    def durations(self) -> list[HistogramDataPoint]:
        """Return the points of the durations of runs."""
        points = self.points().get("health.check.duration", [])
        return [point for point in points if isinstance(point, HistogramDataPoint)]


class Spans:
    """A tracer provider, and the spans that have ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def ended(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def only(self) -> ReadableSpan:
        (span,) = self.ended()
        return span


def context_of(span: ReadableSpan) -> SpanContext:
    context: SpanContext | None = span.context
    assert context is not None
    return context


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def spans() -> Spans:
    return Spans()


async def fail() -> NoReturn:
    raise ConnectionError("postgresql://shop:hunter2@db/shop refused")


async def refuse() -> NoReturn:
    raise ConnectionRefusedError("connection refused")


async def run_once(health: Health) -> None:
    async with lifespan(HealthMiddleware(plain_app, health)):
        await settled(health)


# -- metrics


async def test_each_check_has_one_present_status(metrics: Metrics) -> None:
    health = Health(
        [
            Check("cache", lambda: degraded("slow")),
            Check("database", Counted(), critical=False),
            Check("search", fail),
            Check("slow", anyio.sleep_forever),
        ]
    )
    instrument(health, meter_provider=metrics.provider)
    async with lifespan(HealthMiddleware(plain_app, health)):
        await wait_until_async(
            lambda: sum(each.state.status is not None for each in health.report().checks) == 3, "three have results"
        )
        assert metrics.present("health.check.status") == {
            ("cache", "degraded"),
            ("database", "healthy"),
            ("search", "unhealthy"),
            ("slow", "unknown"),
        }
        assert metrics.present("health.probe.status") == {
            ("health", "unhealthy"),
            ("liveness", "healthy"),
            ("readiness", "unhealthy"),
            ("startup", "healthy"),
        }
        assert metrics.present("health.app.phase") == {("serving",)}
        health.drain()
        assert metrics.present("health.app.phase") == {("draining",)}


def test_a_stale_status_is_unknown(metrics: Metrics) -> None:
    health = Health([Check("database", Counted(), interval=10.0)], clock=clock_of("asyncio"))
    instrument(health, meter_provider=metrics.provider)

    async def main() -> None:
        async with lifespan(HealthMiddleware(plain_app, health)):
            await settled(health)
        assert metrics.present("health.check.status") == {("database", "healthy")}
        await anyio.sleep(40.0)
        assert metrics.present("health.check.status") == {("database", "unknown")}

    run_virtual("asyncio", main)


async def test_the_time_of_the_last_result_is_unix_time(metrics: Metrics) -> None:
    health = Health({"database": Counted()})
    instrument(health, meter_provider=metrics.provider)
    assert metrics.values("health.check.last_result.timestamp") == {}
    before = time.time()
    await run_once(health)
    assert before - 0.1 <= metrics.values("health.check.last_result.timestamp")[("database",)] <= time.time() + 0.1


async def test_the_duration_of_each_run_is_recorded_with_its_result(metrics: Metrics) -> None:
    health = Health([Check("database", fail, **NO_RETRY), Check("disk", lambda: None, **NO_RETRY)])
    instrument(health, meter_provider=metrics.provider)
    await run_once(health)
    found = {tuple((point.attributes or {}).values()): point.count for point in metrics.durations()}
    assert found == {("database", "unhealthy"): 1, ("disk", "healthy"): 1}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_duration_is_exact_and_ends_at_the_timeout(metrics: Metrics, backend: str) -> None:
    health = Health(
        [Check("quick", Counted(0.5), **NO_RETRY), Check("slow", anyio.sleep_forever, timeout=2.0, **NO_RETRY)],
        clock=clock_of(backend),
    )
    instrument(health, meter_provider=metrics.provider)

    async def main() -> None:
        async with lifespan(HealthMiddleware(plain_app, health)):
            await settled(health)
            await anyio.sleep(1.0)

    run_virtual(backend, main)
    sums = {(point.attributes or {})["health.check.name"]: point.sum for point in metrics.durations()}
    assert sums["quick"] == pytest.approx(0.5, abs=0.01)
    assert sums["slow"] == 2.0


async def test_a_plain_function_that_returns_an_awaitable_is_one_run(metrics: Metrics, spans: Spans) -> None:
    async def ask() -> None:
        await anyio.sleep(0.02)

    health = Health([Check("database", lambda: ask(), **NO_RETRY)])  # noqa: PLW0108  the subject of this test
    instrument(health, meter_provider=metrics.provider, tracer_provider=spans.provider, trace_checks=True)
    await run_once(health)
    (point,) = metrics.durations()
    assert point.count == 1
    assert point.sum >= 0.015
    assert spans.only().name == "health.check database"


async def test_a_run_that_is_given_up_is_not_measured_and_makes_no_span(metrics: Metrics, spans: Spans) -> None:
    started = anyio.Event()

    async def hang() -> None:
        started.set()
        await anyio.sleep_forever()

    health = Health([Check("hang", hang, timeout=60.0)])
    instrument(health, meter_provider=metrics.provider, tracer_provider=spans.provider, trace_checks=True)
    async with lifespan(HealthMiddleware(plain_app, health)):
        await started.wait()
    assert metrics.durations() == []
    assert spans.ended() == ()


async def test_runs_failures_transitions_and_pools_are_those_of_the_other_metrics(metrics: Metrics) -> None:
    pool = {"pool_in_use": 3, "pool_size": 10}
    health = Health([Check("database", lambda: healthy(data=pool), **NO_RETRY), Check("search", refuse, **NO_RETRY)])
    instrument(health, meter_provider=metrics.provider)
    await run_once(health)
    assert metrics.values("health.check.runs") == {("database",): 1, ("search",): 1}
    failures = metrics.values("health.check.failures")
    assert {attributes: count for attributes, count in failures.items() if count} == {("search", "refused"): 1}
    assert len(failures) == 2 * len(CATEGORIES)
    assert metrics.values("health.check.transitions") == {("database",): 1, ("search",): 1}
    assert metrics.values("health.check.pool.usage") == {("database",): 3}
    assert metrics.values("health.check.pool.max") == {("database",): 10}


async def test_the_group_of_a_check_is_an_attribute_of_its_metrics_and_its_span(metrics: Metrics, spans: Spans) -> None:
    health = Health([Check("database", Counted(), group="shop", **NO_RETRY), Check("cache", Counted(), **NO_RETRY)])
    instrument(health, meter_provider=metrics.provider, tracer_provider=spans.provider, trace_checks=True)
    await run_once(health)
    assert metrics.values("health.check.runs") == {("database", "shop"): 1, ("cache",): 1}
    groups = [(point.attributes or {}).get("health.check.group") for point in metrics.durations()]
    assert sorted(groups, key=str) == [None, "shop"]
    traced = [(each.attributes or {}).get("health.check.group") for each in spans.ended()]
    assert sorted(traced, key=str) == [None, "shop"]


def test_each_family_has_an_instrument_or_says_what_another_one_says() -> None:
    metrics = {value for value in vars(families).values() if isinstance(value, Metric)}
    said_already = {families.CHECK_UP, families.PROBE_UP, families.DRAINING, families.CHECK_DURATION}
    assert metrics - set(SERIES) == said_already


async def test_all_values_of_one_collection_are_of_one_moment(metrics: Metrics) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 1.0
        return now[0]

    instrument(Health({"database": Counted()}, clock=clock), meter_provider=metrics.provider)
    metrics.points()
    before = now[0]
    metrics.points()
    assert now[0] == before + 1.0


def test_a_maintenance_has_the_seconds_until_its_end_and_the_name_of_its_check(metrics: Metrics) -> None:
    clock = Clock()
    health = health_with(clock, (make_check("database"), healthy()))
    instrument(health, meter_provider=metrics.provider)
    assert metrics.values("health.maintenance.remaining") == {}
    health.maintain("database", 600.0)
    health.maintain(None, 60.0)
    clock.now += 10.0
    assert metrics.values("health.maintenance.remaining") == {(): 50.0, ("database",): 590.0}


async def test_stalls_of_the_event_loop_are_counted(metrics: Metrics) -> None:
    health = Health()
    instrument(health, meter_provider=metrics.provider)
    async with lifespan(HealthMiddleware(plain_app, health, slow_loop=0.05)):
        await anyio.sleep(0.1)
        time.sleep(0.3)  # noqa: ASYNC251  blocks the loop
        await wait_until_async(lambda: health.report().stalls.count > 0, "the stall is noticed")
        assert metrics.values("health.loop.stalls") == {(): health.report().stalls.count}
        assert metrics.values("health.loop.stalled")[()] >= 0.05
        assert metrics.values("health.loop.lag")[()] >= 0.0


async def test_two_healths_share_the_instruments_of_a_provider(metrics: Metrics) -> None:
    first, second = Health({"database": Counted()}), Health({"cache": Counted()})
    instrumented_first = instrument(first, meter_provider=metrics.provider)
    instrument(second, meter_provider=metrics.provider)
    await run_once(first)
    await run_once(second)
    healthy_ones = {("database", "healthy"), ("cache", "healthy")}
    assert metrics.present("health.check.status") == healthy_ones
    instrumented_first.uninstrument()
    instrumented_first.uninstrument()  # no effect
    assert metrics.present("health.check.status") == {("cache", "healthy")}
    instrument(first, meter_provider=metrics.provider)
    assert metrics.present("health.check.status") == healthy_ones


async def test_a_provider_that_becomes_the_global_one_keeps_its_instruments(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Health({"database": Counted()}), Health({"cache": Counted()})
    instrument(first, meter_provider=metrics.provider)
    monkeypatch.setattr("asgi_health.integrations.opentelemetry.get_meter_provider", lambda: metrics.provider)
    instrument(second)
    await run_once(first)
    await run_once(second)
    assert metrics.present("health.check.status") == {("database", "healthy"), ("cache", "healthy")}


async def test_after_uninstrument_no_run_is_measured(metrics: Metrics) -> None:
    health = Health({"database": Counted()})
    instrument(health, meter_provider=metrics.provider).uninstrument()
    await run_once(health)
    assert metrics.durations() == []
    assert metrics.values("health.check.status") == {}


def test_a_health_is_instrumented_once_per_provider(metrics: Metrics) -> None:
    health = Health()
    instrument(health, meter_provider=metrics.provider)
    with pytest.raises(ValueError, match="is instrumented already"):
        instrument(health, meter_provider=metrics.provider)


@pytest.mark.parametrize("arguments", [{"health": None}, {"health": Health(), "trace_checks": "yes"}])
def test_an_argument_of_another_type_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="instrument: "):
        instrument(**arguments)


async def test_without_providers_the_api_does_nothing() -> None:
    health = Health({"database": Counted()})
    handle = instrument(health, trace_checks=True)
    await run_once(health)
    handle.uninstrument()


# -- spans of drivers


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_driver_makes_no_span_in_a_check(driver: str, spans: Spans) -> None:
    async with instrumented(driver, spans.provider) as function:
        handle = instrument(health := Health({"dependency": function}))
        await run_once(health)
        assert health.report(Probe.READINESS).checks[0].output == ""
        assert spans.ended() == ()
        handle.uninstrument()
        await run_once(health)  # so the driver is instrumented indeed
        assert spans.ended()


@pytest.mark.parametrize("driver", DRIVERS)
async def test_the_spans_of_a_driver_belong_to_that_of_the_run(driver: str, spans: Spans) -> None:
    async with instrumented(driver, spans.provider) as function:
        health = Health([Check("dependency", function, **NO_RETRY)])
        handle = instrument(health, tracer_provider=spans.provider, trace_checks=True)
        await run_once(health)
        handle.uninstrument()
    *of_driver, of_run = spans.ended()
    assert of_run.name == "health.check dependency"
    assert of_run.parent is None
    assert of_driver
    ids = {context_of(span).span_id for span in spans.ended()}
    assert {span.parent.span_id if span.parent else 0 for span in of_driver} <= ids
    assert {context_of(span).trace_id for span in of_driver} == {context_of(of_run).trace_id}


# -- spans of runs


async def test_a_run_is_a_root_even_on_demand_in_a_request(spans: Spans) -> None:
    health = Health({"database": Counted()})
    instrument(health, tracer_provider=spans.provider, trace_checks=True)
    app = HealthMiddleware(plain_app, health)
    with spans.provider.get_tracer("app").start_as_current_span("GET /readyz"):
        assert (await probe(app, "/readyz")).status == 200
    of_run, of_request = spans.ended()
    assert (of_run.name, of_request.name) == ("health.check database", "GET /readyz")
    assert of_run.parent is None
    assert context_of(of_run).trace_id != context_of(of_request).trace_id


Function = Callable[[], object] | Callable[[], Awaitable[object]]


@pytest.mark.parametrize(
    ("function", "attributes", "status", "description"),
    [
        (Counted(), {"health.check.status": "healthy"}, StatusCode.UNSET, None),
        (
            lambda: healthy("ok", data={"rows": 7, "url": "redis://:hunter2@cache", "lag": (0.5, "s")}),
            {
                "health.check.status": "healthy",
                "health.check.message": "ok",
                "health.check.data.rows": 7,
                "health.check.data.url": "redis://***@cache",
                "health.check.data.lag": 0.5,
            },
            StatusCode.UNSET,
            None,
        ),
        (
            fail,
            {
                "health.check.status": "unhealthy",
                "health.check.message": "ConnectionError: postgresql://***@db/shop refused",
            },
            StatusCode.ERROR,
            "ConnectionError: postgresql://***@db/shop refused",
        ),
    ],
    ids=["passes", "with data", "fails"],
)
async def test_the_span_of_a_run_has_the_result_without_credentials(
    function: Function, attributes: dict[str, object], status: StatusCode, description: str | None, spans: Spans
) -> None:
    health = Health([Check("dependency", function, **NO_RETRY)])
    instrument(health, tracer_provider=spans.provider, trace_checks=True)
    await run_once(health)
    span = spans.only()
    assert dict(span.attributes or {}) == {"health.check.name": "dependency", **attributes}
    assert (span.status.status_code, span.status.description) == (status, description)
    assert span.events == ()
    assert "hunter2" not in span.to_json()
