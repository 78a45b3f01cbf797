"""Everything that is known about a probe at one moment."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

from .aggregate import contribution, stale_at, worst_when_unknown
from .check import Check
from .lifecycle import Phase
from .maintenance import Maintenance
from .stalls import NO_STALLS, PastStalls, Stall
from .state import CheckState
from .status import Probe, Status, worst
from .transition import Reason
from .workers import NO_OTHERS, Host, OtherWorkers

if TYPE_CHECKING:
    from .past import CheckPast, ProbePast


@dataclass(frozen=True, slots=True)
class CheckReport:
    """One check in a report.

    Attributes:
        name: Name of the check.
        status: Status of the check itself. Without a result, or with a stale one, never HEALTHY.
        output: Reason why it is not healthy; empty when it is.
        critical: Whether its failure fails the probe.
        state: State of the check: its last result, when it came, streaks.
        check: The check itself.
        contribution: Status that the check contributes to the probe.
        stale_at: From when on the last result is stale (monotonic seconds); infinity for never.
        history: Last results and changes, and uptime; None in a report that was not asked for it.
        next_start: When the next run is planned (monotonic seconds); None for never, or without `history`.
        run_started: When the run in progress began (monotonic seconds); None for none, or without `history`.
        maintenance: The maintenance in which its failures count as degraded; None for none.
        run_by: Number of the process that runs it, where one worker does so for its host; None otherwise.
    """

    name: str
    status: Status
    output: str
    critical: bool
    state: CheckState
    check: Check
    contribution: Status
    stale_at: float
    history: "CheckPast | None" = None
    next_start: float | None = None
    run_started: float | None = None
    maintenance: Maintenance | None = None
    run_by: int | None = None

    @property
    def since(self) -> float | None:
        """When the check got `status` (monotonic seconds); None without a result."""
        if self.state.status is None:
            return None
        return self.state.since if self.status is self.state.status else self.stale_at


@dataclass(frozen=True, slots=True)
class ProbeSummary:
    """The status of a probe, without the checks that it covers. Immutable.

    Attributes:
        probe: The probe.
        status: Status of the probe.
        reason: Why it is not healthy; None when it is.
        culprits: Names of the checks that make it so; empty where the phase alone or a stall makes it so.
        since: When it got this status (monotonic seconds); None where that is not known.
        history: Last changes and uptime of the probe.
    """

    probe: Probe
    status: Status
    reason: Reason | None
    culprits: tuple[str, ...]
    since: float | None
    history: "ProbePast"


@dataclass(frozen=True, slots=True)
class Report:
    """The checks of a probe, and the status that they add up to. Immutable.

    Attributes:
        probe: The probe.
        status: Status of the probe.
        phase: Phase of the app; None in the report of a single check, which the phase does not change.
        checks: The checks that count for the probe.
        excluded: Names of the checks that the caller asked to leave out.
        now: The moment that the report describes (monotonic seconds).
        until: The moment at which it changes because a result grows stale (monotonic seconds).
        since: When the phase began (monotonic seconds); None where `phase` is None, and before the app starts.
        stalls: PastStalls of the app's event loop so far.
        stall: The stall at this moment, as seen from outside of the loop; None for none.
        reason: Why the probe is not healthy; None when it is.
        culprits: Names of the checks that make it so, while it starts those that have not passed; empty where the phase
            alone or a stall makes it so.
        groups: The groups whose checks alone the caller asked for, in order; empty for all checks.
        history: Last changes and uptime of the probe; None in the report of a single check, and in one that was not
            asked for it.
        maintenance: The maintenance of the app; None for none, and in the report of a single check.
        host: The workers of the host, this one too; None without a board, while it cannot be used, and in the report of
            a single check.
    """

    probe: Probe
    status: Status
    phase: Phase | None
    checks: tuple[CheckReport, ...]
    excluded: tuple[str, ...]
    now: float
    until: float
    since: float | None = None
    stalls: PastStalls = NO_STALLS
    stall: Stall | None = None
    reason: Reason | None = None
    culprits: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    history: "ProbePast | None" = None
    maintenance: Maintenance | None = None
    host: Host | None = None

    def with_stall(self, stall: Stall) -> "Report":
        """Return this report with `stall`, the present one of the loop: unhealthy when it is too long."""
        if not stall.too_long:
            return replace(self, stall=stall)
        return replace(self, status=Status.UNHEALTHY, stall=stall, reason="stalled", culprits=())


def build_report(
    probe: Probe,
    checks: Iterable[tuple[Check, CheckState, Maintenance | None]],
    *,
    phase: Phase | None,
    since: float | None = None,
    stalls: PastStalls = NO_STALLS,
    maintenance: Maintenance | None = None,
    app_started: bool,
    startup_passed: bool,
    startup_failures: tuple[str, ...] = (),
    host: Host | None = None,
    others: OtherWorkers = NO_OTHERS,
    exclude: frozenset[str],
    now: float,
) -> Report:
    """Return the report of `checks` for `probe`; `apply_phase` explains the other arguments.

    `startup_failures` names the checks that keep the app from having started by a result that they had.
    """
    reports: list[CheckReport] = []
    excluded: list[str] = []
    spared: set[str] = set()  # names of the checks that would make the probe unhealthy without their maintenance
    for check, state, check_maintenance in checks:
        if check.name in exclude:
            excluded.append(check.name)
            continue
        expiry = stale_at(check, state)
        stale = now >= expiry
        contributed = contribution(probe, check, state)
        if stale and probe is not Probe.STARTUP:
            contributed = max(contributed, worst_when_unknown(probe, check))
        present = _present(check_maintenance, now)
        if present is not None and contributed is Status.UNHEALTHY:
            contributed = Status.DEGRADED
            spared.add(check.name)
        run_by = runner_pid(check, host)
        reports.append(_report_check(probe, check, state, contributed, expiry, present, run_by, stale=stale))
    return sum_up(
        probe,
        tuple(reports),
        phase=phase,
        since=since,
        stalls=stalls,
        maintenance=maintenance,
        spared=spared,
        app_started=app_started,
        startup_passed=startup_passed,
        startup_failures=startup_failures,
        excluded=tuple(excluded),
        host=host,
        others=others,
        now=now,
    )


def sum_up(
    probe: Probe,
    checks: tuple[CheckReport, ...],
    *,
    phase: Phase | None,
    since: float | None,
    stalls: PastStalls,
    maintenance: Maintenance | None,
    spared: Collection[str],
    app_started: bool,
    startup_passed: bool,
    startup_failures: tuple[str, ...],
    excluded: tuple[str, ...] = (),
    host: Host | None = None,
    others: OtherWorkers = NO_OTHERS,
    now: float,
) -> Report:
    """Return the report of `probe` from those of its checks; `build_report` explains the other arguments.

    `spared` names the checks that would make the probe unhealthy without their maintenance, `others` is what the other
    workers of `host` make of it.
    """
    until = min((each.stale_at for each in checks if each.stale_at > now), default=inf)
    until = min([until, *(each.maintenance.until for each in checks if each.maintenance is not None)])
    maintenance = None if phase is None else _present(maintenance, now)
    if maintenance is not None:
        until = min(until, maintenance.until)
    worst_of_checks = worst(each.contribution for each in checks)
    status = apply_phase(probe, worst_of_checks, phase, app_started=app_started, startup_passed=startup_passed)
    if maintenance is not None and probe not in (Probe.LIVENESS, Probe.STARTUP):
        status = Status.UNHEALTHY
    reason: Reason | None
    culprits: tuple[str, ...] = ()
    if startup_failures and not startup_passed and phase is Phase.SERVING and probe is not Probe.LIVENESS:
        reason, culprits = "check", startup_failures
    else:
        reason = _reason(probe, status, checks, phase, maintenance, spared, startup_passed=startup_passed, now=now)
    if not culprits and (reason in ("starting", "check", "stale") or (reason == "maintenance" and maintenance is None)):
        culprits = tuple(each.name for each in checks if each.contribution is status)
    if phase is None:
        since, stalls = None, NO_STALLS
    elif others.status > status:
        status, reason, culprits = others.status, others.reason, ()
    return Report(
        probe,
        status,
        phase,
        checks,
        excluded,
        now,
        until,
        since,
        stalls,
        reason=reason,
        culprits=culprits,
        maintenance=maintenance,
        host=None if phase is None else host,
    )


def apply_phase(
    probe: Probe, status: Status, phase: Phase | None, *, app_started: bool, startup_passed: bool
) -> Status:
    """Return the status of a probe from the status of its checks and the phase of the app.

    Args:
        probe: The probe.
        status: What the checks add up to.
        phase: Phase of the app; None to leave it out of account.
        app_started: Whether the app's own startup is complete.
        startup_passed: Whether the startup probe has passed before, which is final for a lifespan.
    """
    if phase is None or probe is Probe.LIVENESS:
        return status
    if probe is Probe.STARTUP:
        passed = startup_passed or (app_started and status is not Status.UNHEALTHY)
        return Status.HEALTHY if passed else Status.UNHEALTHY
    return status if startup_passed and phase is Phase.SERVING else Status.UNHEALTHY


def runner_pid(check: Check, host: Host | None) -> int | None:
    """Return the number of the process that runs `check` for its host; None where each worker runs it for itself."""
    if check.scope == "process" or host is None:
        return None
    leader = host.leading_worker
    return None if leader is None else leader.pid


def _reason(
    probe: Probe,
    status: Status,
    checks: Iterable[CheckReport],
    phase: Phase | None,
    maintenance: Maintenance | None,
    spared: Collection[str],
    *,
    startup_passed: bool,
    now: float,
) -> Reason | None:
    """Return why the probe has `status`, None when it is healthy."""
    if status is Status.HEALTHY:
        return None
    if probe is Probe.STARTUP and phase is not None:
        return "starting"
    if probe is not Probe.LIVENESS and phase is not None:
        if phase is Phase.STOPPED:
            return "stopped"
        if phase is Phase.DRAINING:
            return "draining"
        if phase is Phase.STARTING or not startup_passed:
            return "starting"
        if maintenance is not None:
            return "maintenance"
    culprits = [each for each in checks if each.contribution is status]
    if status is Status.DEGRADED and all(each.name in spared for each in culprits):
        return "maintenance"
    if all(each.state.time is None for each in culprits):
        return "starting"
    return "stale" if all(each.stale_at <= now for each in culprits) else "check"


def _present(maintenance: Maintenance | None, now: float) -> Maintenance | None:
    return None if maintenance is None or now >= maintenance.until else maintenance


def _report_check(
    probe: Probe,
    check: Check,
    state: CheckState,
    contributed: Status,
    expiry: float,
    maintenance: Maintenance | None,
    run_by: int | None,
    *,
    stale: bool,
) -> CheckReport:
    when_unknown = Status.DEGRADED if probe is Probe.LIVENESS else Status.UNHEALTHY
    if state.status is None or state.result is None:
        status, output = when_unknown, "no result yet"
    elif stale:
        status, output = (
            max(state.status, when_unknown),
            f"stale: not confirmed for more than {check.stale_after:.1f} s",
        )
    elif state.status is Status.UNHEALTHY and state.passes:
        status, output = state.status, f"recovering: {state.passes} of {check.success_threshold} passes in a row"
    else:
        status, output = state.status, state.result.message
    output = "" if status is Status.HEALTHY else output
    return CheckReport(
        check.name,
        status,
        output,
        check.critical,
        state,
        check,
        contributed,
        expiry,
        maintenance=maintenance,
        run_by=run_by,
    )
