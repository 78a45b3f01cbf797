"""Workers of a host under arbitrary histories: what the board promises holds after every step."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asgi_health import Probe, Status
from asgi_health.board.turn import MAX_LEADER_LAG, MIN_LEASE, MIN_VALIDITY, SETTLING_TIME, TURN_INTERVAL

from ..support.host_simulation import ONCE, STALL_TIMES, STEP, Host, SimulatedWorker

MAX_WORKERS = 4

TAKEOVER = MIN_LEASE + MAX_LEADER_LAG + 2 * TURN_INTERVAL + STEP
"""Seconds without a worker that runs the checks of the host, at most, while one could."""

SEEN = 3 * TURN_INTERVAL + 2 * STEP
"""Seconds until the trouble of one worker shows in the answers of the others, beyond what makes it a trouble."""


class HostMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.host = Host()
        self.idle_since: float | None = None
        self.disturbed_at = self.host.now
        self.terms: dict[int, str] = {}

    @initialize(number=st.integers(1, MAX_WORKERS))
    def begin(self, number: int) -> None:
        for _ in range(number):
            self.host.start()

    def disturb(self) -> None:
        """Remember the moment from which on the answers have time to change."""
        self.disturbed_at = self.host.now

    # -- what may happen

    @rule(seconds=st.sampled_from([STEP, 0.3, 1.0, 3.0, 8.0]))
    def time_passes(self, seconds: float) -> None:
        self.host.advance(seconds, self.check_each_step)

    @precondition(lambda self: len(self.host.workers) < MAX_WORKERS)
    @rule()
    def a_worker_starts(self) -> None:
        self.host.start()
        self.disturb()

    @precondition(lambda self: self.host.workers)
    @rule(index=st.integers(0, 9), how=st.sampled_from(["kill", "leave"]))
    def a_worker_ends(self, index: int, how: str) -> None:
        worker = self.pick(index)
        if how == "leave" and not worker.moves:
            how = "kill"
        getattr(self.host, how)(worker)
        self.disturb()

    @precondition(lambda self: self.host.workers)
    @rule(index=st.integers(0, 9), how=st.sampled_from(["block", "stop", "sick"]))
    def a_worker_suffers_or_heals(self, index: int, how: str) -> None:
        worker = self.pick(index)
        if how == "sick":
            worker.sick = not worker.sick
        elif how == "block":
            worker.blocked_since = self.host.now if worker.blocked_since is None else None
        else:
            worker.stopped_since = self.host.now if worker.stopped_since is None else None
        self.disturb()

    @rule()
    def the_board_breaks_or_is_repaired(self) -> None:
        self.host.store.broken = not self.host.store.broken
        self.disturb()

    @rule()
    def the_file_is_made_again(self) -> None:
        self.host.store.make_again()
        self.disturb()

    def pick(self, index: int) -> SimulatedWorker:
        return self.host.workers[index % len(self.host.workers)]

    # -- what holds

    def check_each_step(self) -> None:
        self.never_greener_than_itself()
        self.one_worker_at_most_runs_the_checks_of_the_host()
        host = self.host
        fit = [worker for worker in host.workers if worker.moves]
        led = any(worker.may_run_once() for worker in host.workers)
        if led or host.store.broken or not fit or host.now - self.disturbed_at < STEP:
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = host.now
        else:
            assert host.now - self.idle_since <= TAKEOVER, "no worker runs the checks of the host"

    @invariant()
    def never_greener_than_itself(self) -> None:
        for worker in self.host.workers:
            for probe in Probe:
                assert worker.status(probe) >= worker.own_status(probe)

    @invariant()
    def one_worker_at_most_runs_the_checks_of_the_host(self) -> None:
        holders = [worker for worker in self.host.workers if worker.may_run_once()]
        assert len(holders) <= 1
        lease = self.host.store.present
        if lease is not None and not self.host.store.identity.endswith("+"):
            assert self.terms.setdefault(lease.term, lease.holder) == lease.holder

    @invariant()
    def all_answer_alike_when_the_dust_has_settled(self) -> None:
        host = self.host
        quiet = host.now - self.disturbed_at
        moving = [worker for worker in host.workers if worker.moves]
        if not moving or host.store.broken or quiet < SETTLING_TIME + STALL_TIMES.live + SEEN + 2 * MIN_VALIDITY:
            return
        stuck = len(moving) < len(host.workers)
        sick = any(worker.sick for worker in moving)
        expected = Status.UNHEALTHY if stuck or sick else Status.HEALTHY
        assert {worker.status(Probe.READINESS) for worker in moving} == {expected}
        assert {worker.status(Probe.LIVENESS) for worker in moving} == {Status.UNHEALTHY if stuck else Status.HEALTHY}

    def teardown(self) -> None:
        """Heal everything: then each worker answers for a healthy host, and one runs the checks of the host."""
        host = self.host
        host.store.broken = False
        for worker in host.workers:
            worker.sick, worker.blocked_since, worker.stopped_since = False, None, None
        host.advance(SETTLING_TIME + MIN_VALIDITY + 2.0)
        if host.workers:
            assert host.statuses(Probe.READINESS) == host.statuses(Probe.LIVENESS) == {Status.HEALTHY}
            before = len(host.runs())
            host.advance(5 * ONCE.interval)
            assert 3 <= len(host.runs()) - before <= 6


TestHostMachine = HostMachine.TestCase
TestHostMachine.settings = settings(deadline=None, max_examples=40, stateful_step_count=30)
