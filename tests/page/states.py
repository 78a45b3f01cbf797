"""Apps in every state that the page shows, with a past of a day that is the same in each run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from asgi_health import Check, Probe, Result, ServiceInfo, degraded, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.report import Report, Stall
from asgi_health.formats.answer import Answer
from asgi_health.formats.page import AppFacts, LastStall, View, page

from ..support.core_cases import check, new_engine

WALL = 1_795_873_320.0
"""2026-11-28T14:22:00Z, the moment of the pages."""

NOW = 200_000.0
"""The same moment on the clock of the engine."""

SERVICE = ServiceInfo(
    "shop-api",
    "4.2.0",
    "9f3c2e1",
    "Orders and payments of the web shop. On call: team Checkout.",
    links={"Runbook": "https://wiki.example.com/shop-api", "Dashboard": "https://grafana.example.com/d/shop"},
)

REFUSED = "ConnectionRefusedError: [Errno 111] Connect call failed ('10.0.3.12', 5432)"

Behaviour = Callable[[float], tuple[Result, float]]
"""Returns the result of a run that begins so many seconds before the moment of the page, and its duration (seconds)."""


@dataclass(frozen=True)
class Dependency:
    """A check and how it behaves.

    Attributes:
        check: The check.
        took: Usual duration of a run (seconds).
        broken: When it failed, as pairs of seconds before the moment of the page, and with what result.
    """

    check: Check
    took: float = 0.002
    broken: Mapping[tuple[float, float], Result] = field(default_factory=dict[tuple[float, float], Result])

    def run(self, ago: float, random: Random) -> tuple[Result, float]:
        """Return the result and the duration of a run that begins `ago` seconds before the moment of the page."""
        took = self.took * random.lognormvariate(0, 0.35)
        for (begin, end), result in self.broken.items():
            if begin >= ago > end:
                return result, took
        return healthy(), took


def play(*dependencies: Dependency, begin: float = 86_400.0, end: float = 0.0) -> Engine:
    """Return the engine of an app that started `begin` seconds before the moment of the page, as it is at that moment."""
    random = Random(7)
    engine = new_engine(random=random.random)
    by_name = {each.check.name: each for each in dependencies}
    lifespan = object()
    engine.start(lifespan, NOW - begin)
    for each in dependencies:
        engine.add(each.check, NOW - begin)
    engine.serve(NOW - begin + 0.8)
    now = NOW - begin + 0.8
    while now < NOW - end:
        for run in engine.due(now).start:
            result, took = by_name[run.check.name].run(NOW - now, random)
            engine.record(run, result, now + min(took, run.check.timeout * 0.99))
        now = max(engine.next_wake(), now + 0.001)
    return engine


def facts_of(engine: Engine, *, loop_lag: float | None = 0.0, last_stall: LastStall | None = None) -> AppFacts:
    """Return what a page shows of the app of `engine`."""
    return AppFacts(tuple(engine.summarize(probe, NOW) for probe in Probe), loop_lag, last_stall)


def report_of(engine: Engine, stall: Stall | None = None) -> Report:
    """Return the report of all checks of `engine`, with its history."""
    report = engine.report(Probe.HEALTH, NOW, history=True)
    return report if stall is None else report.with_stall(stall)


def page_of(engine: Engine, service: ServiceInfo | None = SERVICE, view: View | None = None) -> Answer:
    """Return the page of the app of `engine`."""
    return page(report_of(engine), service, wall=WALL, facts=facts_of(engine), view=view)


def group(name: str, **options: object) -> Check:
    """Return a check as `check` does."""
    return check(name, **options)  # type: ignore[arg-type]


def calm() -> Engine:
    """Return an app with three checks that pass."""
    return play(
        Dependency(check("database", probes=(Probe.READINESS, Probe.STARTUP)), 0.0021),
        Dependency(check("cache"), 0.0006),
        Dependency(check("recommendations", critical=False, interval=30.0), 0.041),
    )


def broken() -> Engine:
    """Return an app whose database refuses connections, with an optional check that is down and one that warns."""
    return play(
        Dependency(check("database", probes=(Probe.READINESS, Probe.STARTUP)), 0.0021, {(191.0, -1.0): unhealthy(REFUSED)}),
        Dependency(check("cache"), 0.0006),
        Dependency(
            check("recommendations", critical=False),
            0.041,
            {(5400.0, -1.0): unhealthy("HTTP 502 Bad Gateway from https://recs.example.com/v2/health"),
             (30_000.0, 26_000.0): unhealthy("timed out after 2.0 s")},
        ),
        Dependency(check("disk", interval=30.0, critical=False), 0.0002,
                   {(20_000.0, -1.0): degraded("91 % of /var/lib/shop is used", data={"used": (91.3, "%"), "free": (4_211_081_216, "bytes")})}),
        Dependency(check("payments", interval=20.0), 0.18, {(60_000.0, 58_500.0): unhealthy("answered by 503")}),
        Dependency(check("message-broker"), 0.004, {(15.0, -1.0): unhealthy("ConnectionResetError: [Errno 104] Connection reset by peer")}),
        Dependency(check("search", interval=15.0), 0.012),
        Dependency(check("outbox", probes=(Probe.LIVENESS,), interval=5.0), 0.0001),
    )
