"""OpenTelemetry: metrics of the checks and probes, no spans of their drivers, and no spans of the probes.

instrument(health)
FastAPIInstrumentor.instrument_app(app, excluded_urls=excluded_urls())
"""

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from threading import Lock
from weakref import WeakKeyDictionary

from . import not_installed

try:
    from opentelemetry.context import Context, attach, detach
    from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation, get_meter_provider
    from opentelemetry.trace import Span, StatusCode, TracerProvider, get_tracer, set_span_in_context
    from opentelemetry.util.types import AttributeValue
except ModuleNotFoundError as _error:
    raise not_installed(_error, "opentelemetry", extra="opentelemetry") from None

from ..asgi.metrics import Metrics
from ..asgi.paths import Paths
from ..core.check import Check
from ..core.engine import Engine
from ..core.result import Result
from ..core.run_counts import DURATION_BOUNDS
from ..core.status import Probe, Status
from ..core.validate import require_type
from ..formats.metrics import Distribution, Family, Metric
from ..formats.metrics.families import (
    CHECK_DURATION,
    CHECK_FAILURES,
    CHECK_LAST_RESULT,
    CHECK_POOL_IN_USE,
    CHECK_POOL_SIZE,
    CHECK_RUNS,
    CHECK_STATE,
    CHECK_TRANSITIONS,
    DROPPED,
    LISTENER_EVICTED,
    LISTENER_REFUSED,
    LOOP_LAG,
    LOOP_STALLED,
    LOOP_STALLS,
    MAINTENANCE,
    PHASE,
    PROBE_STATE,
    PROBE_TRANSITIONS,
    WORKERS,
)
from ..formats.redact import redact
from ..health import Health, engine_of
from ..runtime.scheduler.run_hooks import RunInfo

suppress_instrumentation: Callable[[], AbstractContextManager[None]]
try:
    from opentelemetry.instrumentation.utils import suppress_instrumentation
except ModuleNotFoundError:  # then no driver is instrumented
    suppress_instrumentation = nullcontext

__all__ = ["Instrumentation", "excluded_urls", "instrument"]

SCOPE = "asgi_health"
"""Name of the instrumentation scope of all instruments and spans."""

NAME, GROUP, CHECK_STATUS = "health.check.name", "health.check.group", "health.check.status"
OF_CHECK = (NAME, GROUP)
PROBE_NAME, PROBE_STATUS = "health.probe.name", "health.probe.status"
APP_PHASE = "health.app.phase"

Attributes = dict[str, AttributeValue]


class Instrumentation:
    """The instrumentation of one Health, as `instrument` returns it."""

    __slots__ = ("_remove",)

    def __init__(self, remove: Callable[[], None]) -> None:
        self._remove = remove

    def uninstrument(self) -> None:
        """Report nothing more about the Health. A run that has begun is still reported."""
        self._remove()


def instrument(
    health: Health,
    *,
    meter_provider: MeterProvider | None = None,
    tracer_provider: TracerProvider | None = None,
    trace_checks: bool = False,
) -> Instrumentation:
    """Report the metrics of `health`, and suppress the spans that instrumented drivers make in its checks.

    docs/reference/opentelemetry.md lists the instruments. Each run is measured where it ends; everything else is read
    when the meter provider collects, which runs no check.

    Args:
        health: The Health.
        meter_provider: The meter provider; None for the global one, also when it is set later.
        tracer_provider: The tracer provider; None for the global one. It is used with `trace_checks` alone.
        trace_checks: Whether each run becomes a span ``health.check NAME``, a root with the result as attributes and
            the spans of its driver as children. False: a run makes no span.

    Raises:
        TypeError: for an argument of another type.
        ValueError: for a Health that is instrumented already.
    """
    require_type("instrument: health", health, Health)
    require_type("instrument: trace_checks", trace_checks, bool)
    instruments = _instruments_of(meter_provider)
    engine = engine_of(health)
    instruments.add(engine)
    spans = _Spans(tracer_provider) if trace_checks else None
    remove_hook = health.around_runs(_Runs(engine.clock, instruments.duration, spans).around)

    def remove() -> None:
        remove_hook()
        instruments.discard(engine)

    return Instrumentation(remove)


def excluded_urls(paths: Paths = Paths(), *, root_path: str = "") -> str:  # noqa: B008  frozen
    """Return the regular expression of the URLs of probes, metrics and events, for ``excluded_urls=``.

    OTEL_PYTHON_EXCLUDED_URLS takes it too.

    Args:
        paths: The paths of the probes, as HealthMiddleware has them.
        root_path: The path at which the app is mounted, where the server puts it before every path.

    Raises:
        TypeError: for an argument of another type.
    """
    require_type("excluded_urls: paths", paths, Paths)
    require_type("excluded_urls: root_path", root_path, str)
    single = set(paths.all) - set(paths.of(Probe.HEALTH))
    escaped = [re.escape(path) + ("(/[^/]+)?" if path in single else "") for path in paths.all]
    escaped += map(re.escape, paths.of_metrics + paths.of_events)
    pattern = rf"^https?://[^/]*{re.escape(root_path.rstrip('/'))}({'|'.join(escaped)})/?$"
    # OpenTelemetry splits the text at commas.
    return pattern.replace(",", r"\x2c") if escaped else ""


class _Runs:
    """Measure each run, and make a span of it or suppress those of its driver.

    Args:
        clock: The clock of the durations (seconds).
        duration: Where the durations are recorded.
        spans: Makes the spans; None to suppress those of drivers.
    """

    __slots__ = ("_clock", "_duration", "_spans", "_unfinished")

    def __init__(self, clock: Callable[[], float], duration: Histogram, spans: "_Spans | None") -> None:
        self._clock = clock
        self._duration = duration
        self._spans = spans
        # Runs whose plain function has returned an awaitable: they go on in another context. One that is dropped there
        # leaves no measurement and no span.
        self._unfinished: WeakKeyDictionary[RunInfo, tuple[float, Span | None]] = WeakKeyDictionary()

    @contextmanager
    def around(self, run: RunInfo) -> Generator[None]:
        if run in self._unfinished:
            started, span = self._unfinished.pop(run)
        else:
            started, span = self._clock(), None if self._spans is None else self._spans.start(run)
        with suppress_instrumentation() if span is None else _current(span):
            try:
                yield
            finally:
                if run.result is None:
                    self._unfinished[run] = started, span
                else:
                    seconds = min(self._clock() - started, run.check.timeout)
                    attributes = {**_attributes(run.check), CHECK_STATUS: _text(run.result.status)}
                    self._duration.record(max(seconds, 0.0), attributes)
                    if span is not None:
                        _end(span, run.result)


class _Spans:
    """Start the spans of runs."""

    __slots__ = ("_tracer",)

    def __init__(self, tracer_provider: TracerProvider | None) -> None:
        self._tracer = get_tracer(SCOPE, tracer_provider=tracer_provider)

    def start(self, run: RunInfo) -> Span:
        name = f"health.check {run.check.name}"
        return self._tracer.start_span(name, context=Context(), attributes=_attributes(run.check))


@contextmanager
def _current(span: Span) -> Generator[None]:
    # Not trace.use_span, which adds the exception to the span as it is, with the credentials that drivers put into it.
    token = attach(set_span_in_context(span, Context()))
    try:
        yield
    finally:
        detach(token)


def _end(span: Span, result: Result) -> None:
    message = redact(result.message)
    span.set_attribute(CHECK_STATUS, _text(result.status))
    if message:
        span.set_attribute("health.check.message", message)
    for name, (value, _) in result.data.items():
        span.set_attribute(f"health.check.data.{redact(name)}", redact(value) if isinstance(value, str) else value)
    if result.status is Status.UNHEALTHY:
        span.set_status(StatusCode.ERROR, message)
    span.end()


@dataclass(frozen=True, slots=True)
class _Series:
    """An instrument that shows a family of the metrics.

    Attributes:
        name: Its name.
        unit: Its unit.
        attributes: The attributes of its points, in the order of the labels of the family.
        state: The attribute that has the state, where the family is a set of states.
    """

    name: str
    unit: str
    attributes: tuple[str, ...] = ()
    state: str = ""


SERIES = {
    CHECK_STATE: _Series(CHECK_STATUS, "{check}", OF_CHECK, CHECK_STATUS),
    CHECK_LAST_RESULT: _Series("health.check.last_result.timestamp", "s", OF_CHECK),
    CHECK_RUNS: _Series("health.check.runs", "{run}", OF_CHECK),
    CHECK_FAILURES: _Series("health.check.failures", "{run}", (*OF_CHECK, "health.failure.category")),
    CHECK_TRANSITIONS: _Series("health.check.transitions", "{transition}", OF_CHECK),
    CHECK_POOL_IN_USE: _Series("health.check.pool.usage", "{connection}", OF_CHECK),
    CHECK_POOL_SIZE: _Series("health.check.pool.max", "{connection}", OF_CHECK),
    PROBE_STATE: _Series(PROBE_STATUS, "{probe}", (PROBE_NAME,), PROBE_STATUS),
    PROBE_TRANSITIONS: _Series("health.probe.transitions", "{transition}", (PROBE_NAME,)),
    DROPPED: _Series("health.transitions.dropped", "{transition}"),
    PHASE: _Series(APP_PHASE, "{app}", (), APP_PHASE),
    LOOP_LAG: _Series("health.loop.lag", "s"),
    MAINTENANCE: _Series("health.maintenance.remaining", "s", (NAME,)),
    LOOP_STALLS: _Series("health.loop.stalls", "{stall}"),
    LOOP_STALLED: _Series("health.loop.stalled", "s"),
    LISTENER_EVICTED: _Series("health.listener.evicted", "{connection}"),
    LISTENER_REFUSED: _Series("health.listener.refused", "{connection}"),
    WORKERS: _Series("health.workers", "{worker}", ("health.worker.state",)),
}
"""The instrument of each family. The duration of a check is a histogram, and what others say already has none: whether
a check or a probe is up, and whether the app drains."""


class _Instruments:
    """The instruments of one meter provider, for all Healths: a provider ignores a second instrument of a name."""

    __slots__ = ("_lock", "_sources", "_taken", "duration")

    def __init__(self, meter: Meter) -> None:
        self._sources: dict[Engine, Metrics] = {}
        self._taken: dict[Metric, list[Family]] = {}
        self._lock = Lock()
        self.duration = meter.create_histogram(
            "health.check.duration",
            "s",
            CHECK_DURATION.help,
            explicit_bucket_boundaries_advisory=DURATION_BOUNDS,
        )
        for metric, series in SERIES.items():
            create: Callable[..., object] = {
                "counter": meter.create_observable_counter,
                "gauge": meter.create_observable_gauge,
                "stateset": meter.create_observable_up_down_counter,
            }[metric.type]
            create(series.name, [partial(self._observe, metric, series)], series.unit, metric.help)

    def add(self, engine: Engine) -> None:
        with self._lock:
            if engine in self._sources:
                raise ValueError("instrument: this Health is instrumented already; call uninstrument() first")
            self._sources[engine] = Metrics(engine)

    def discard(self, engine: Engine) -> None:
        with self._lock:
            self._sources.pop(engine, None)

    def _observe(self, metric: Metric, series: _Series, _: CallbackOptions) -> Iterator[Observation]:
        for family in self._take(metric):
            for labels, value in family.points:
                attributes = {name: text for name, text in zip(series.attributes, labels, strict=True) if text}
                if isinstance(value, str):
                    for state in metric.states:
                        yield Observation(int(state == value), {**attributes, series.state: state})
                elif not isinstance(value, Distribution):
                    yield Observation(value, attributes)

    def _take(self, metric: Metric) -> list[Family]:
        """Return the families of `metric`. A provider asks for one after the other: all are of the same moment.

        One that is asked for again belongs to the next collection.
        """
        with self._lock:
            if metric not in self._taken:
                taken: dict[Metric, list[Family]] = {each: [] for each in SERIES}
                for source in self._sources.values():
                    for family in source.families():
                        taken.setdefault(family.metric, []).append(family)
                self._taken = taken
            return self._taken.pop(metric)


_global_instruments: list[_Instruments] = []
_instruments_by_provider: WeakKeyDictionary[MeterProvider, _Instruments] = WeakKeyDictionary()
_lock = Lock()


def _instruments_of(meter_provider: MeterProvider | None) -> _Instruments:
    with _lock:
        provider = get_meter_provider() if meter_provider is None else meter_provider
        if provider in _instruments_by_provider:
            return _instruments_by_provider[provider]
        if provider is not get_meter_provider():
            return _instruments_by_provider.setdefault(provider, _Instruments(provider.get_meter(SCOPE)))
        # Until a provider is set, the global one is a proxy. Its instruments become those of the provider that is set.
        if not _global_instruments:
            _global_instruments.append(_Instruments(provider.get_meter(SCOPE)))
        return _global_instruments[0]


def _attributes(check: Check) -> Attributes:
    return {NAME: check.name} if check.group is None else {NAME: check.name, GROUP: check.group}


def _text(status: Status) -> str:
    return status.name.lower()
