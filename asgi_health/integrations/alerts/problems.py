"""What is wrong with an app at one moment: its checks, and its event loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

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

SCHEDULING = 1.0
"""Seconds after a block of the loop in which each check is started again. Its timeout follows before it is judged."""


STARTUP_PATIENCE = 300.0
"""Seconds for which a check of startup alone may fail before it is wrong: it fails while the app warms up, and says how
far it has come. After a pass it does not run any more."""


@dataclass(frozen=True, slots=True)
class Problems:
    """What is wrong at one moment.

    Attributes:
        found: What is wrong with each subject, None for nothing. Subjects that cannot be judged are left out.
        checks: Names of all checks.
        muted: Subjects whose problems are expected: all while the app drains or is in maintenance, and checks in
            maintenance.
        late: Whether the event loop is late, or blocked.
        until: When that changes without a transition, by age or by the end of a maintenance (monotonic seconds of the
            caller); infinity for never.
    """

    found: Mapping[str, Problem | None]
    checks: frozenset[str]
    muted: frozenset[str]
    late: bool
    until: float


def problems_of(
    engine: Engine, figures: LoopFigures, minimum: Status, now: float, last_late: float = -inf
) -> Problems | None:
    """Return what is wrong at `now`, None while the app starts or when it has stopped.

    Args:
        engine: The engine of the app.
        figures: What is measured of its event loop.
        minimum: From which effect on the app on something counts as wrong.
        now: The present moment of `time.monotonic`; the clock of the engine may be another one.
        last_late: When the event loop was last found late. Results that have grown stale by then are judged when there
            was time for new ones.
    """
    report = engine.report(Probe.HEALTH, engine.clock())
    if report.phase not in (Phase.SERVING, Phase.DRAINING):
        return None
    ahead, until = now - report.now, report.until
    lateness = figures.loop_lag(now) or 0.0
    stalled, late = is_stalled(engine), lateness >= LATE
    found: dict[str, Problem | None] = {EVENT_LOOP: _stall(now - lateness) if stalled else None}
    if stalled or late:
        last_late = now
    for check in report.checks if not stalled else ():  # no check can run meanwhile: it is the same incident
        judged_at = last_late - ahead + SCHEDULING + check.check.timeout
        if check.stale_at <= report.now < judged_at:
            until = min(until, judged_at)
        elif check.state.status is not None:
            patience = check.state.since + STARTUP_PATIENCE if check.check.probes == (Probe.STARTUP,) else -inf
            if report.now < patience:
                until = min(until, patience)
                continue
            is_wrong = check.contribution >= minimum or (check.maintenance is not None and check.output)
            found[check.name] = _problem(check, report.now, ahead) if is_wrong else None
    names = frozenset(check.name for check in report.checks)
    muted = frozenset(check.name for check in report.checks if check.maintenance is not None)
    if report.phase is Phase.DRAINING or report.maintenance is not None:
        muted = names | {EVENT_LOOP}
    return Problems(found, names, muted, stalled or late, until + ahead)


def is_stalled(engine: Engine) -> bool:
    """Return whether the blocked event loop makes a probe unhealthy."""
    return any(engine.known(probe).reason == "stalled" for probe in (Probe.READINESS, Probe.LIVENESS))


def _stall(since: float) -> Problem:
    return Problem(Status.UNHEALTHY, "stalled", "the event loop is blocked", since)


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
