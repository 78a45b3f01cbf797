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
        muted: Subjects whose problems are expected: all while the app drains or is in maintenance, and checks in
            maintenance.
        until: When that changes without a transition, by age or by the end of a maintenance (monotonic seconds of the
            caller); infinity for never.
    """

    found: Mapping[str, Problem | None]
    checks: frozenset[str]
    muted: frozenset[str]
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
    lateness = figures.loop_lag(now) or 0.0
    found: dict[str, Problem | None] = {EVENT_LOOP: None}
    if is_stalled(engine):  # no check can run meanwhile, and that their results grow stale is the same incident
        found[EVENT_LOOP] = Problem(Status.UNHEALTHY, "stalled", "the event loop is blocked", now - lateness)
    for check in report.checks if found[EVENT_LOOP] is None else ():
        if lateness >= LATE and check.stale_at <= report.now:
            until = min(until, report.now + JUDGED_AGAIN)
        elif check.state.status is not None:
            is_wrong = check.contribution >= minimum or (check.maintenance is not None and check.output)
            found[check.name] = _problem(check, report.now, ahead) if is_wrong else None
    names = frozenset(check.name for check in report.checks)
    muted = frozenset(check.name for check in report.checks if check.maintenance is not None)
    if report.phase is Phase.DRAINING or report.maintenance is not None:
        muted = names | {EVENT_LOOP}
    return Problems(found, names, muted, until + ahead)


def is_stalled(engine: Engine) -> bool:
    """Return whether the blocked event loop makes a probe unhealthy."""
    return any(engine.known(probe).reason == "stalled" for probe in (Probe.READINESS, Probe.LIVENESS))


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
