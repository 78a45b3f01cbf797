"""Apps in every state that the page shows, with a past of a day that is the same in each run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from asgi_health import Check, Probe, Result, ServiceInfo, degraded, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.report import Report
from asgi_health.core.stalls import Stall
from asgi_health.formats.answer import Answer
from asgi_health.formats.page import AppFacts, LastStall, View, page

from .core_cases import check, new_engine

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


def play(*dependencies: Dependency, begin: float = 86_400.0) -> Engine:
    """Return the engine of an app that started `begin` seconds before the moment of the page, at that moment."""
    random = Random(7)
    engine = new_engine(random=random.random)
    by_name = {each.check.name: each for each in dependencies}
    lifespan = object()
    engine.start(lifespan, NOW - begin)
    for each in dependencies:
        engine.add(each.check, NOW - begin)
    engine.serve(NOW - begin + 0.8)
    now = NOW - begin + 0.8
    while now < NOW:
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


def page_of(
    engine: Engine,
    service: ServiceInfo | None = SERVICE,
    *,
    view: View | None = None,
    facts: AppFacts | None = None,
    stall: Stall | None = None,
) -> Answer:
    """Return the page of the app of `engine`."""
    return page(report_of(engine, stall), service, wall=WALL, facts=facts or facts_of(engine), view=view)


def calm() -> Engine:
    """Return an app with three checks that pass."""
    return play(
        Dependency(check("database", probes=(Probe.READINESS, Probe.STARTUP)), 0.0021),
        Dependency(check("cache"), 0.0006),
        Dependency(check("recommendations", critical=False, interval=30.0), 0.041),
    )


def broken() -> Engine:
    """Return an app whose database refuses connections, with an optional check that is down and one that warns."""
    full = degraded("91 % of /var/lib/shop is used", data={"used": (91.3, "%"), "free": (4_211_081_216, "bytes")})
    bad_gateway = unhealthy("HTTP 502 Bad Gateway from https://recs.example.com/v2/health")
    late = unhealthy("timed out after 2.0 s")
    return play(
        Dependency(
            check("database", probes=(Probe.READINESS, Probe.STARTUP), group="storage"),
            0.0021,
            {(191.0, -1.0): unhealthy(REFUSED), (42_000.0, 41_930.0): unhealthy(REFUSED)},
        ),
        Dependency(check("cache", group="storage"), 0.0006),
        Dependency(
            check("recommendations", critical=False, group="partners"),
            0.041,
            {(5400.0, -1.0): bad_gateway, (30_000.0, 26_000.0): late},
        ),
        Dependency(check("disk", interval=30.0, critical=False, group="storage"), 0.0002, {(20_000.0, -1.0): full}),
        Dependency(
            check("payments", interval=20.0, group="partners"),
            0.18,
            {(60_000.0, 58_500.0): unhealthy("answered by 503")},
        ),
        Dependency(check("search", interval=15.0), 0.012),
        Dependency(check("outbox", probes=(Probe.LIVENESS,), interval=5.0), 0.0001),
    )


def degraded_only() -> Engine:
    """Return an app that is ready although an optional check is down."""
    return play(
        Dependency(check("database"), 0.0021),
        Dependency(
            check("recommendations", critical=False), 0.041, {(5400.0, -1.0): unhealthy("timed out after 2.0 s")}
        ),
        begin=10_000.0,
    )


def starting() -> Engine:
    """Return an app whose checks have had no result yet."""
    engine = new_engine(check("database"), check("cache"), check("search"))
    engine.start(object(), NOW - 4.0)
    engine.serve(NOW - 3.0)
    engine.due(NOW - 3.0)
    return engine


def draining() -> Engine:
    """Return an app that has begun to drain."""
    engine = calm()
    engine.drain(NOW - 3.0)
    return engine


LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen"

LONG_SERVICE = ServiceInfo(
    3 * LONG_WORD, 2 * LONG_WORD, 2 * LONG_WORD, 5 * LONG_WORD, links={2 * LONG_WORD: "https://example.com/"}
)


def with_long_words() -> Engine:
    """Return an app with words at each place that are longer than a phone is wide."""
    name, text = f"{'anticonstitutionnellement-' * 2}nuage", 5 * LONG_WORD
    down = unhealthy(text, data={LONG_WORD: (text, LONG_WORD)})
    return play(
        Dependency(check(f"{name}-1", group=LONG_WORD), 0.002, {(191.0, -1.0): down}),
        *(Dependency(check(f"{name}-{each}", group=LONG_WORD + str(each)), 0.002) for each in range(2, 12)),
        begin=10_000.0,
    )


def many(count: int = 1000) -> Engine:
    """Return an app with many checks, of which some fail."""
    names = ("Bestellbestätigungsversandwarteschlange", "anticonstitutionnellement", "shop")
    engine = new_engine()
    engine.start(object(), NOW - 100.0)
    for number in range(count):
        name = f"{names[number % 3].lower().replace('ä', 'ae')}-{number:04}"
        engine.add(check(name, critical=number % 2 == 0, group=f"group {number % 7}"), NOW - 100.0)
    engine.serve(NOW - 99.0)
    for now in (NOW - 90.0, NOW - 20.0, NOW - 5.0):
        for run in engine.due(now).start:
            number = int(run.check.name[-4:])
            failed = unhealthy(REFUSED) if number % 97 == 3 else degraded("slow") if number % 101 == 5 else healthy()
            engine.record(run, failed, now + 0.003 + number / 1e5)
    return engine
