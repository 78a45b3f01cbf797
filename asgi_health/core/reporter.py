"""Reports: what is known of a probe, of one check, of all checks. They read and change nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from .check_slot import CheckSlot
from .host_membership import HostMembership
from .lifecycle import Lifecycle, Phase
from .maintenances import Maintenances
from .probe_statuses import ProbeStatuses
from .report import CheckReport, ProbeSummary, Report, build_report, sum_up
from .run_schedule import RunSchedule
from .stalls import StallRecord
from .status import Probe, Status
from .transition_feed import TransitionFeed


class Reporter:
    """Report on the checks and probes of an engine. Any thread may call it; it takes no lock."""

    __slots__ = (
        "_feed",
        "_lifecycle",
        "_maintenances",
        "_membership",
        "_schedule",
        "_slots",
        "_stalls",
        "_statuses",
    )

    def __init__(
        self,
        slots: Mapping[str, CheckSlot],
        lifecycle: Lifecycle,
        statuses: ProbeStatuses,
        feed: TransitionFeed,
        schedule: RunSchedule,
        maintenances: Maintenances,
        membership: HostMembership,
        stalls: StallRecord,
    ) -> None:
        self._slots = slots
        self._lifecycle = lifecycle
        self._statuses = statuses
        self._feed = feed
        self._schedule = schedule
        self._maintenances = maintenances
        self._membership = membership
        self._stalls = stalls

    def report(
        self,
        probe: Probe,
        now: float,
        *,
        exclude: Iterable[str] = (),
        groups: frozenset[str] = frozenset(),
        history: bool = False,
    ) -> Report:
        """Return everything known about `probe`.

        Args:
            probe: The probe.
            now: The moment to report on (monotonic seconds).
            exclude: Names of checks to leave out.
            groups: Groups whose checks alone are in the report; empty for all checks.
            history: Whether the report holds the past too.
        """
        # One call into C takes the values, so that a thread may add a check meanwhile.
        slots = tuple(self._slots.values())
        if groups:
            slots = tuple(slot for slot in slots if slot.check.group in groups)
        excluded = frozenset(exclude)
        left_out = excluded if not groups else excluded.union(self._slots) - {slot.check.name for slot in slots}
        report = self._report(probe, slots, self._lifecycle.phase, excluded, now, left_out)
        if groups:
            report = replace(report, groups=tuple(sorted(groups)))
        if not history:
            return report
        return self.with_probe_past(self._with_history(report, slots))

    def report_check(self, name: str, probe: Probe, now: float, *, history: bool = False) -> Report:
        """Return the report of one check alone, as it counts for `probe`. Raises KeyError for an unknown name."""
        slot = self._slots.get(name)
        if slot is None:
            raise KeyError(f"check {name!r}: there is no check of that name")
        report = self._report(probe, (slot,), None, frozenset(), now)
        return self._with_history(report, (slot,)) if history else report

    def report_of(self, checks: tuple[CheckReport, ...], now: float) -> Report:
        """Return the report of HEALTH from those of its checks, which a reader has kept since they last changed.

        It takes a tenth of the time of `report`: 0.1 ms for a thousand checks.
        """
        lifecycle = self._lifecycle
        report = sum_up(
            Probe.HEALTH,
            checks,
            phase=self._lifecycle.phase,
            since=lifecycle.since,
            stalls=self._stalls.of_lifespan,
            maintenance=self._maintenances.of_app,
            spared=[
                each.name
                for each in checks
                if each.maintenance is not None and each.critical and each.status is Status.UNHEALTHY
            ],
            app_started=lifecycle.app_started,
            startup_passed=lifecycle.startup_passed,
            startup_failures=self._statuses.startup_failures(now),
            host=self._membership.host,
            others=self._membership.others(self._membership.host, Probe.HEALTH),
            now=now,
        )
        return self.with_probe_past(report)

    def with_past(self, check: CheckReport, now: float) -> CheckReport:
        """Return `check` with its past up to `now`; without it when the check has been removed meanwhile.

        For a reader that goes on with other work between the checks of a report: a thousand take 10 ms.
        """
        slot = self._slots.get(check.name)
        return check if slot is None or slot.check is not check.check else self._with_check_history(check, slot, now)

    def with_probe_past(self, report: Report) -> Report:
        """Return the report of a probe with the past of the probe, and without that of its checks."""
        return replace(report, history=self._feed.histories[report.probe].past(report.now))

    def summarize(self, probe: Probe, now: float) -> ProbeSummary:
        """Return the status of `probe` with its past, without its checks: for the four probes next to each other."""
        known = self._feed.probes.known[probe]
        status, reason = self._feed.effective_status(probe, now)
        culprits = () if reason is None else self._statuses.names(probe, status, reason, now)
        since = known.since if known.status is status and self._lifecycle.since is not None else None
        return ProbeSummary(probe, status, reason, culprits, since, self._feed.histories[probe].past(now))

    def _report(
        self,
        probe: Probe,
        slots: Iterable[CheckSlot],
        phase: Phase | None,
        exclude: frozenset[str],
        now: float,
        left_out: frozenset[str] = frozenset(),
    ) -> Report:
        host = self._membership.host
        if host is not None:
            host = host.without(left_out, probe)
        return build_report(
            probe,
            [
                (each.check, each.state, each.maintenance)
                for each in slots
                if probe is Probe.HEALTH or probe in each.check.probes
            ],
            phase=phase,
            since=self._lifecycle.since,
            stalls=self._stalls.of_lifespan,
            maintenance=self._maintenances.of_app,
            app_started=self._lifecycle.app_started,
            startup_passed=self._lifecycle.startup_passed,
            startup_failures=self._statuses.startup_failures(now),
            host=host,
            others=self._membership.others(host, probe),
            exclude=exclude,
            now=now,
        )

    def _with_history(self, report: Report, slots: Iterable[CheckSlot]) -> Report:
        by_name = {slot.check.name: slot for slot in slots}
        checks = tuple(self._with_check_history(each, by_name[each.name], report.now) for each in report.checks)
        return replace(report, checks=checks)

    def _with_check_history(self, check: CheckReport, slot: CheckSlot, now: float) -> CheckReport:
        run = slot.run
        # Not `replace`, which takes as long as everything else in it.
        return CheckReport(
            check.name,
            check.status,
            check.output,
            check.critical,
            check.state,
            check.check,
            check.contribution,
            check.stale_at,
            slot.history.past(now),
            self._schedule.start_of(check.name),
            None if run is None else run.started,
            check.maintenance,
            check.run_by,
        )
