"""This worker among the workers of its host: what it knows of them, and which checks it runs for all."""

from collections.abc import Mapping
from math import inf

from .check import Check
from .check_slot import CheckSlot
from .lifecycle import Lifecycle
from .probe_statuses import ProbeStatuses
from .probe_transitions import effective_status
from .recorder import Recorder
from .run_schedule import RunSchedule
from .stalls import StallTimes
from .status import Probe, Status
from .transition_feed import TransitionFeed
from .workers import NAMES_OF_CHECKS, NO_OTHERS, UNKNOWN_OTHERS, Host, OtherWorkers, Worker, WorkerProbe

NEXT_TURN = 0.5
"""Seconds for which what is known of the other workers still counts when it is found to be too old long after it was:
the process was stopped (SIGSTOP) until now, and reads of them next."""

LATE = 0.1
"""Seconds after which it was found long after."""


class HostMembership:
    """What is known of the other workers of the host, and until when it counts.

    Checks with the scope "host" are delegated to the worker that leads. One thread at a time makes changes, under the
    engine's lock, and passes the transitions on. Any thread may read.
    """

    __slots__ = (
        "_awaits_next_turn",
        "_feed",
        "_leads_until",
        "_lifecycle",
        "_recorder",
        "_schedule",
        "_slots",
        "_statuses",
        "host",
        "until",
    )

    def __init__(
        self,
        slots: Mapping[str, CheckSlot],
        lifecycle: Lifecycle,
        statuses: ProbeStatuses,
        feed: TransitionFeed,
        schedule: RunSchedule,
        recorder: Recorder,
    ) -> None:
        self._slots = slots
        self._lifecycle = lifecycle
        self._statuses = statuses
        self._feed = feed
        self._schedule = schedule
        self._recorder = recorder
        self._awaits_next_turn = False
        self._leads_until = inf
        self.host: Host | None = None
        """The workers of the host, this one too; None without a board, and while it cannot be used."""
        self.until = inf
        """When what is known of the others is too old to count (monotonic seconds), infinity without a board."""

    def leads(self, now: float) -> bool:
        """Return whether this worker speaks for the host at `now`: it sends alerts. Takes no lock.

        True without a board, and while it cannot be used; False until the first turn at it.
        """
        host = self.host
        return self.until == inf if host is None else host.leader == host.own and now < self._leads_until

    def runs_here(self, slot: CheckSlot, now: float) -> bool:
        """Return whether this worker may run the check: also a lease that it could not renew has an end."""
        return not slot.delegated and (slot.check.scope == "process" or now < self._leads_until)

    def delegates(self, check: Check) -> bool:
        """Return whether another worker runs `check`: the leader, if it has a check of that name."""
        return self._delegates(check, None if self.host is None else self.host.leading_worker)

    def restart(self) -> None:
        """Count this worker alone: a lifespan begins."""
        self.host, self.until, self._leads_until = None, inf, inf
        self._statuses.forget_others()

    def wait(self, until: float, now: float) -> None:
        """Wait for `set`, or until `until` (monotonic seconds): others may run the checks of the host, or start."""
        self.host, self.until = None, until
        self._delegate(now)
        self._statuses.set_others(UNKNOWN_OTHERS)

    def set(self, host: Host | None, until: float, leads_until: float, now: float) -> None:
        """Count the other workers of `host`, and use the results of the one that runs the checks of the host."""
        former, self.host = self.host, host
        self.until, self._awaits_next_turn = until, False
        leads = host is None or host.leader == host.own
        self._leads_until = inf if host is None else leads_until
        leader = None if host is None or leads else host.leading_worker
        if leader is not None and leader.results is not None:
            for slot in self._host_slots():
                state = leader.results.get(slot.check.name)
                if state is None or state is slot.state or state.time is None or slot.forced is not None:
                    continue
                if state != slot.state:
                    self._recorder.adopt(slot, state, now)
        self._delegate(now)
        self._statuses.set_others({} if host is None else host.probes)
        if (None if former is None else former.shown) != (None if host is None else host.shown):
            self._statuses.bump_version()
            self._statuses.notify()

    def expire(self, now: float) -> None:
        """Count this worker alone when what it knows of the others is too old."""
        if now < self.until:
            return
        if self.host is not None and now > self.until + LATE and not self._awaits_next_turn:
            self._awaits_next_turn, self.until = True, now + NEXT_TURN
        else:
            self.set(None, inf, -inf, now)
            self._feed.pass_on(now)

    def others(self, host: Host | None, probe: Probe) -> OtherWorkers:
        """Return what the other workers of `host` make of `probe`."""
        if host is None:
            return UNKNOWN_OTHERS[probe] if self._awaits_host else NO_OTHERS
        if probe is Probe.STARTUP and self._statuses.host_started:
            return NO_OTHERS
        return host.probes[probe]

    def own_worker(
        self,
        key: str,
        pid: int,
        now: float,
        *,
        started: float,
        beat: float | None,
        stall_times: StallTimes,
        leads: bool,
    ) -> Worker:
        """Return what this worker publishes: its own statuses, without those of the others.

        Args:
            key: Its key.
            pid: Number of its process.
            now: The present moment (monotonic seconds).
            started: When its lifespan began (monotonic seconds).
            beat: When its event loop last ran (monotonic seconds); None where nothing measures that.
            stall_times: How long its event loop may be blocked.
            leads: Whether it runs the checks of the host.
        """
        lifecycle = self._lifecycle
        return Worker(
            key,
            pid,
            started,
            now,
            beat,
            lifecycle.phase,
            lifecycle.startup_passed,
            lifecycle.drain_ordered_at,
            stall_times,
            {probe: self._own_probe(probe, now) for probe in Probe},
            {slot.check.name: slot.state for slot in self._host_slots()} if leads else None,
        )

    @property
    def _awaits_host(self) -> bool:
        return self.host is None and self.until < inf

    def _host_slots(self) -> list[CheckSlot]:
        return [slot for slot in self._slots.values() if slot.check.scope == "host"]

    def _delegates(self, check: Check, leader: Worker | None) -> bool:
        if check.scope == "process":
            return False
        host = self.host
        if host is None:
            return self._awaits_host
        if leader is None:
            return True
        # A worker that has become the leader may not have published its results yet.
        return leader.key != host.own and (leader.results is None or check.name in leader.results)

    def _delegate(self, now: float) -> None:
        """Leave the checks of the host to the worker that runs them, or run them here from now on."""
        leader = None if self.host is None else self.host.leading_worker
        for slot in self._host_slots():
            delegated = self._delegates(slot.check, leader)
            if delegated and not slot.delegated:
                self._schedule.delegate(slot)
            elif slot.delegated and not delegated:
                self._schedule.take_back(slot, now)

    def _own_probe(self, probe: Probe, now: float) -> WorkerProbe:
        status, reason, began = effective_status(self._statuses.own[probe], probe in self._feed.stalled, now)
        if reason is None:
            return WorkerProbe(status, since=now)
        names = self._statuses.names(probe, status, reason, now)
        if reason == "check" and status is Status.UNHEALTHY:  # also those that would make it so without the others
            names += self._statuses.names(probe, status, "stale", now)
        return WorkerProbe(status, reason, names[:NAMES_OF_CHECKS], now if began is None else began)
