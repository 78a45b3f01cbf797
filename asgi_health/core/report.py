"""Everything that is known about a probe at one moment, for whoever is allowed to read it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf

from .check import Check
from .lifecycle import Phase
from .stalls import NO_STALLS, Stall, Stalls
from .state import CheckState
from .status import Probe, Status, worst
from .tally import cap, stale_at, weigh


@dataclass(frozen=True, slots=True)
class CheckReport:
    """One check as a report shows it."""

    name: str
    status: Status
    """As the check itself stands; what is unknown or stale is never HEALTHY."""
    output: str
    """Why it is not healthy; empty when it is."""
    critical: bool
    state: CheckState


@dataclass(frozen=True, slots=True)
class Report:
    """The checks of a probe, and what they add up to. Immutable."""

    probe: Probe | None
    """None: all checks together, or a single one that was asked for by name."""
    status: Status
    phase: Phase | None
    """None: the phase was left out of account."""
    checks: tuple[CheckReport, ...]
    excluded: tuple[str, ...]
    """Checks that this report was asked to leave out."""
    now: float
    """The moment that it describes (monotonic seconds)."""
    until: float
    """The moment at which it changes by itself because a result grows stale (monotonic seconds)."""
    since: float | None = None
    """When the phase began (monotonic seconds); None: the phase was left out of account."""
    stalls: Stalls = NO_STALLS
    """The stalls of the app's event loop so far."""
    stall: Stall | None = None
    """The one that lasts at this moment, as somebody outside of the loop sees it."""

    def stalled(self, stall: Stall) -> "Report":
        """Return this report of an app whose loop is late: unhealthy when it is so for too long."""
        status = Status.UNHEALTHY if stall.over else self.status
        return replace(self, status=status, stall=stall)


def report_checks(
    probe: Probe | None,
    checks: Iterable[tuple[Check, CheckState]],
    *,
    phase: Phase | None,
    since: float | None = None,
    stalls: Stalls = NO_STALLS,
    started: bool,
    passed: bool,
    exclude: frozenset[str],
    now: float,
) -> Report:
    """Return the report of `checks` for `probe`; `phased` says what the other arguments mean."""
    lines: list[CheckReport] = []
    levels: list[Status] = []
    excluded: list[str] = []
    until = inf
    for check, state in checks:
        if check.name in exclude:
            excluded.append(check.name)
            continue
        expiry = stale_at(check, state)
        stale = now >= expiry
        until = until if stale else min(until, expiry)
        level = weigh(probe, check, state)
        if stale and probe is not Probe.STARTUP:
            level = max(level, cap(probe, check))
        levels.append(level)
        lines.append(_line(probe, check, state, stale=stale))
    status = phased(probe, worst(levels), phase, started=started, passed=passed)
    if phase is None:
        since, stalls = None, NO_STALLS
    return Report(probe, status, phase, tuple(lines), tuple(excluded), now, until, since, stalls)


def phased(probe: Probe | None, status: Status, phase: Phase | None, *, started: bool, passed: bool) -> Status:
    """Return what the phase of the process makes of the checks' status.

    `started`: the app's own startup is complete. `passed`: the startup probe has passed before, which is latched.
    """
    if phase is None or probe is Probe.LIVENESS:
        return status
    if probe is Probe.STARTUP:
        over = passed or (started and status is not Status.UNHEALTHY)
        return Status.HEALTHY if over else Status.UNHEALTHY
    return status if passed and phase is Phase.SERVING else Status.UNHEALTHY


def _line(probe: Probe | None, check: Check, state: CheckState, *, stale: bool) -> CheckReport:
    ignorance = Status.DEGRADED if probe is Probe.LIVENESS else Status.UNHEALTHY
    if state.status is None or state.result is None:
        status, output = ignorance, "no result yet"
    elif stale:
        status, output = max(state.status, ignorance), f"stale: no result for more than {check.stale_after:.1f} s"
    elif state.status is Status.UNHEALTHY and state.passes:
        status, output = state.status, f"recovering: {state.passes} of {check.success_threshold} passes in a row"
    else:
        status, output = state.status, state.result.message
    return CheckReport(check.name, status, "" if status is Status.HEALTHY else output, check.critical, state)
