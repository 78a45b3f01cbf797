"""The feed of transitions: those of checks and then those of the probes that they have changed, in one order."""

from collections import deque
from collections.abc import Callable

from .history import ProbeHistory
from .maintenances import Maintenances
from .probe_statuses import ProbeStatuses
from .probe_transitions import ProbeTransitions, effective_status
from .status import Probe, Status
from .transition import CheckTransition, Reason, Transition


class TransitionFeed:
    """Call each callback with each transition, in the order in which they happen, and record those of the probes.

    One thread at a time makes changes, under the engine's lock; a signal handler may interrupt it and pass on too. Any
    thread may read.
    """

    __slots__ = (
        "_callbacks",
        "_maintenances",
        "_passing_on",
        "_statuses",
        "_waiting",
        "histories",
        "probes",
        "stalled",
    )

    def __init__(self, statuses: ProbeStatuses, maintenances: Maintenances) -> None:
        self._statuses = statuses
        self._maintenances = maintenances
        self._callbacks: tuple[Callable[[Transition], object], ...] = ()
        self._waiting: deque[Transition] = deque()
        self._passing_on = False
        self.probes = ProbeTransitions(statuses.current)
        """The status that the last transition of each probe left behind."""
        self.histories = {probe: ProbeHistory() for probe in Probe}
        """The past of each probe."""
        self.stalled: frozenset[Probe] = frozenset()
        """The probes that the blocked event loop makes unhealthy."""

    def subscribe(self, callback: Callable[[Transition], object]) -> None:
        """Call `callback` with each transition from now on."""
        self._callbacks = (*self._callbacks, callback)

    def append(self, transition: CheckTransition) -> None:
        """Pass `transition` on with the next call of `pass_on`, before the transitions of the probes."""
        self._waiting.append(transition)

    def restart(self, now: float) -> None:
        """Begin a lifespan: the event loop is not blocked, and no uptime counts before `serve`."""
        self.probes.restart(now)
        self.stalled = frozenset()
        self.pause(now)

    def serve(self, now: float) -> None:
        """Begin to count uptime: the app's own startup is complete."""
        for probe, history in self.histories.items():
            history.serve(self._statuses.current[probe].at(now), now)

    def pause(self, now: float) -> None:
        """Stop counting uptime until `serve`."""
        for history in self.histories.values():
            history.pause(now)

    def effective_status(self, probe: Probe, now: float) -> tuple[Status, Reason | None]:
        """Return the status of `probe` at `now` and the reason for it, a blocked event loop included. Takes no lock.

        For readers in other threads, which answer for the app while its loop is blocked.
        """
        status, reason, _ = effective_status(self._statuses.current[probe], probe in self.stalled, now)
        return status, reason

    @property
    def next_decay(self) -> float:
        """When a result grows stale or a maintenance ends next (monotonic seconds), infinity for never."""
        return min(self.probes.next_decay, self._maintenances.next_end)

    def pass_on_decay(self, now: float) -> None:
        """Pass on what has grown stale, or has ended, by `now`. Called before each change, which would hide it."""
        if now >= self._maintenances.next_end:
            self._maintenances.end_passed(now)
            self.pass_on(now)
        elif now >= self.probes.next_decay:
            self.pass_on(now)

    def pass_on(self, now: float) -> None:
        """Pass on the transitions of checks, and then those of the probes that they have changed."""
        probes = self.probes
        # Almost every run of a check ends here: its result has changed no status, and none has grown stale.
        if not self._waiting and probes.are_known(self._statuses.current, self.stalled, now):
            return
        # A signal handler may start a drain at any point of this, in this very thread. Its own call returns at once and
        # leaves its transitions to the interrupted one, so that every callback receives them in the same order.
        while not self._passing_on:
            self._passing_on = True
            statuses = self._statuses.current
            try:
                changes = probes.changes(statuses, self.stalled, now, self._statuses.names)
                for change in changes:
                    self.histories[change.probe].record(change)
                self._waiting.extend(changes)
                while self._waiting:
                    transition = self._waiting.popleft()
                    for callback in self._callbacks:
                        callback(transition)
            finally:
                self._passing_on = False
            if statuses is self._statuses.current:
                return
