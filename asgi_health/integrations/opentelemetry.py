"""OpenTelemetry: metrics of the checks and probes, no spans of their drivers, and no spans of the probes.

instrument(health)
FastAPIInstrumentor.instrument_app(app, excluded_urls=excluded_urls())
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from time import time
from weakref import WeakKeyDictionary

from opentelemetry.context import Context, attach, detach
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation, get_meter_provider
from opentelemetry.trace import Span, StatusCode, TracerProvider, get_tracer, set_span_in_context
from opentelemetry.util.types import AttributeValue

from ..asgi.paths import Paths
from ..core.aggregate import stale_at
from ..core.engine import Engine
from ..core.lifecycle import Phase
from ..core.result import Result
from ..core.status import Probe, Status
from ..core.validate import require_type
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

NAME, CHECK_STATUS = "health.check.name", "health.check.status"
PROBE_NAME, PROBE_STATUS = "health.probe.name", "health.probe.status"
LAST_RESULT = "health.check.last_result.timestamp"
PHASE = "health.app.phase"

UNKNOWN = "unknown"
"""Status of a check without a result, or with a stale one."""

DURATION_BOUNDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0)
"""Upper bounds of the buckets of durations (seconds), for a meter provider that has none of its own."""

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

    docs/tracing.md lists the instruments. Each run is measured where it ends; everything else is read when the meter
    provider collects, which runs no check.

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
    """Return the regular expression of the URLs of probes, for ``excluded_urls=`` and OTEL_PYTHON_EXCLUDED_URLS.

    Args:
        paths: The paths of the probes, as HealthMiddleware has them.
        root_path: The path at which the app is mounted, where the server puts it before every path.
    """
    require_type("excluded_urls: paths", paths, Paths)
    require_type("excluded_urls: root_path", root_path, str)
    single = set(paths.all) - set(paths.of(Probe.HEALTH))
    escaped = [re.escape(path) + ("(/[^/]+)?" if path in single else "") for path in paths.all]
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
                    attributes: Attributes = {NAME: run.check.name, CHECK_STATUS: _text(run.result.status)}
                    self._duration.record(max(seconds, 0.0), attributes)
                    if span is not None:
                        _end(span, run.result)


class _Spans:
    """Start the spans of runs."""

    __slots__ = ("_tracer",)

    def __init__(self, tracer_provider: TracerProvider | None) -> None:
        self._tracer = get_tracer(SCOPE, tracer_provider=tracer_provider)

    def start(self, run: RunInfo) -> Span:
        name = run.check.name
        return self._tracer.start_span(f"health.check {name}", context=Context(), attributes={NAME: name})


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


Observe = Callable[[Engine], Iterable[Observation]]
"""Returns the present values of an instrument, of one engine."""


class _Instruments:
    """The instruments of one meter provider, for all Healths: a provider ignores a second instrument of a name."""

    __slots__ = ("_engines", "_lock", "duration")

    def __init__(self, meter: Meter) -> None:
        self._engines: tuple[Engine, ...] = ()
        self._lock = Lock()
        self.duration = meter.create_histogram(
            "health.check.duration",
            "s",
            "Durations of the runs of a check, cut off at its timeout.",
            explicit_bucket_boundaries_advisory=DURATION_BOUNDS,
        )
        for create, name, unit, description, observe in (
            (meter.create_observable_up_down_counter, CHECK_STATUS, "{check}", "1 for the present status.", _checks),
            (
                meter.create_observable_gauge,
                "health.check.last_result.timestamp",
                "s",
                "Time of the last result (Unix).",
                _last_results,
            ),
            (meter.create_observable_up_down_counter, PROBE_STATUS, "{probe}", "1 for the present status.", _probes),
            (meter.create_observable_up_down_counter, PHASE, "{app}", "1 for the present phase.", _phase),
            (meter.create_observable_counter, "health.loop.stalls", "{stall}", "Stalls of the event loop.", _stalls),
        ):
            create(name, [self._callback(observe)], unit, description)

    def add(self, engine: Engine) -> None:
        with self._lock:
            if engine in self._engines:
                raise ValueError("instrument: this Health is instrumented already; call uninstrument() first")
            self._engines = (*self._engines, engine)

    def discard(self, engine: Engine) -> None:
        with self._lock:
            self._engines = tuple(each for each in self._engines if each is not engine)

    def _callback(self, observe: Observe) -> Callable[[CallbackOptions], Iterator[Observation]]:
        def callback(_: CallbackOptions) -> Iterator[Observation]:
            for engine in self._engines:
                yield from observe(engine)

        return callback


_global_instruments: list[_Instruments] = []
_instruments_by_provider: WeakKeyDictionary[MeterProvider, _Instruments] = WeakKeyDictionary()
_lock = Lock()


def _instruments_of(meter_provider: MeterProvider | None) -> _Instruments:
    with _lock:
        if meter_provider is None or meter_provider is get_meter_provider():
            if not _global_instruments:
                _global_instruments.append(_Instruments(get_meter_provider().get_meter(SCOPE)))
            return _global_instruments[0]
        if meter_provider not in _instruments_by_provider:
            _instruments_by_provider[meter_provider] = _Instruments(meter_provider.get_meter(SCOPE))
        return _instruments_by_provider[meter_provider]


def _checks(engine: Engine) -> Iterator[Observation]:
    now = engine.clock()
    names = (*map(_text, Status), UNKNOWN)
    states = {each.name: each.state for each in engine.report(Probe.HEALTH, now).checks}
    for check in engine.checks:
        state = states.get(check.name)
        if state is None or state.status is None or now >= stale_at(check, state):
            present = UNKNOWN
        else:
            present = _text(state.status)
        for name in names:
            yield Observation(int(name == present), {NAME: check.name, CHECK_STATUS: name})


def _last_results(engine: Engine) -> Iterator[Observation]:
    now = engine.clock()
    epoch = time() - now
    for each in engine.report(Probe.HEALTH, now).checks:
        if each.state.time is not None:
            yield Observation(round(epoch + each.state.time, 3), {NAME: each.name})


def _probes(engine: Engine) -> Iterator[Observation]:
    now = engine.clock()
    for probe in Probe:
        present = engine.probe_status(probe).at(now)
        for status in Status:
            yield Observation(int(status is present), {PROBE_NAME: probe.value, PROBE_STATUS: _text(status)})


def _phase(engine: Engine) -> Iterator[Observation]:
    present = engine.phase
    for phase in Phase:
        yield Observation(int(phase is present), {PHASE: phase.name.lower()})


def _stalls(engine: Engine) -> Iterator[Observation]:
    yield Observation(engine.report(Probe.HEALTH, engine.clock()).stalls.count)


def _text(status: Status) -> str:
    return status.name.lower()
