"""What is wrong with an app at one moment: its checks, and its event loop."""

from collections.abc import Mapping
from dataclasses import dataclass

from ...core.engine import Engine
from ...core.lifecycle import Phase
from ...core.report import CheckReport
from ...core.status import Probe, Status
from ...runtime.loop_figures import LoopFigures
from .incidents import Problem

EVENT_LOOP = "event loop"
"""The subject of an incident of the event loop; the space keeps it apart from the names of checks."""

STALL = 5.0
"""Seconds for which the loop is blocked before that is an incident, where no listener says when a probe fails. The same
as the default of `Listener.stall_ready`."""

LATE = 0.5
"""Seconds of lateness of the loop from which stale results are not judged: no check can run, and a loop that is blocked
for longer is an incident of its own."""

JUDGED_AGAIN = 1.0
"""Seconds after which stale results that were not judged are looked at again."""


@dataclass(frozen=True, slots=True)
class Problems:
    """What is wrong at one moment.

    Attributes:
        found: What is wrong with each subject, None for nothing. Subjects that cannot be judged are left out.
        checks: Names of all checks.
        draining: Whether the app drains.
        until: When a result grows stale (monotonic seconds of the caller), infinity for never.
    """

    found: Mapping[str, Problem | None]
    checks: frozenset[str]
    draining: bool
    until: float


def problems_of(engine: Engine, figures: LoopFigures, minimum: Status, now: float) -> Problems | None:
    """Return what is wrong at `now`, None while the app starts or when it has stopped.

    Args:
        engine: The engine of the app.
        figures: What is measured of its event loop.
        minimum: From which effect on the app on something counts as wrong.
        now: The present moment of `time.monotonic`; the clock of the engine may be another one.
    """
    report = engine.report(Probe.HEALTH, engine.clock())
    if report.phase not in (Phase.SERVING, Phase.DRAINING):
        return None
    ahead, until = now - report.now, report.until
    found: dict[str, Problem | None] = {EVENT_LOOP: stall_of(engine, figures, now)}
    late = (figures.loop_lag(now) or 0.0) >= LATE
    for check in report.checks if found[EVENT_LOOP] is None else ():
        if late and check.stale_at <= report.now:
            until = min(until, report.now + JUDGED_AGAIN)
        elif check.state.status is not None:
            found[check.name] = _problem(check, report.now, ahead) if check.contribution >= minimum else None
    names = frozenset(check.name for check in report.checks)
    return Problems(found, names, report.phase is Phase.DRAINING, until + ahead)


def stall_of(engine: Engine, figures: LoopFigures, now: float) -> Problem | None:
    """Return the problem of a blocked event loop, None where it runs or nothing measures it."""
    lateness = figures.loop_lag(now) or 0.0
    if figures.connections() is None:  # no listener
        stalled = lateness >= STALL
    else:
        stalled = any(engine.known(probe).reason == "stalled" for probe in (Probe.READINESS, Probe.LIVENESS))
    return Problem(Status.UNHEALTHY, "stalled", "the event loop is blocked", now - lateness) if stalled else None


def _problem(check: CheckReport, now: float, ahead: float) -> Problem:
    state = check.state
    stale = check.stale_at <= now
    recovering = state.status is Status.UNHEALTHY and state.passes > 0 and not stale
    return Problem(
        check.contribution,
        "stale" if stale else "check",
        "" if recovering else check.output,
        ahead + (check.stale_at if stale and state.status is Status.HEALTHY else state.since),
        check.critical,
        state.failures if state.status is Status.UNHEALTHY else 0,
    )
