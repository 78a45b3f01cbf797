"""A host in virtual time: workers with an engine each take turns at a board in memory, and run their checks."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from asgi_health import Check, Probe, Status, healthy, unhealthy
from asgi_health.board.interface import BoardUnavailable
from asgi_health.board.turn import Identity, Turns
from asgi_health.core.engine import Engine
from asgi_health.core.lease import Lease
from asgi_health.core.maintenance import Maintenance
from asgi_health.core.stalls import StallTimes
from asgi_health.core.workers import Worker

STEP = 0.05
"""Seconds of one step of the simulation."""

STALL_TIMES = StallTimes(ready=2.0, live=6.0)

ONCE = Check("once", lambda: None, interval=1.0, retry_interval=1.0, timeout=0.5, scope="host")
OWN = Check("own", lambda: None, interval=0.5, retry_interval=0.5, timeout=0.3, failure_threshold=1, max_age=60.0)


@dataclass
class MemoryStore:
    """The `Store` and the `Transaction`, in memory."""

    workers: dict[str, Worker] = field(default_factory=dict[str, Worker])
    dead: set[str] = field(default_factory=set[str])
    present: Lease | None = None
    kept: dict[str | None, Maintenance] = field(default_factory=dict["str | None", Maintenance])
    identity: str = "first"
    broken: bool = False

    @contextmanager
    def transaction(self) -> Generator["MemoryStore"]:
        if self.broken:
            raise BoardUnavailable("board: found it broken, expected it whole")
        yield self

    def close(self) -> None:
        pass

    def make_again(self) -> None:
        """Lose everything, as a file does that is deleted."""
        self.workers, self.present, self.kept, self.identity = {}, None, {}, self.identity + "+"

    def put_worker(self, worker: Worker) -> None:
        self.workers[worker.key] = worker

    def delete_worker(self, key: str) -> None:
        self.workers.pop(key, None)

    def living_workers(self) -> Sequence[Worker]:
        return [each for each in self.workers.values() if each.key not in self.dead]

    def lease(self) -> Lease | None:
        return self.present

    def put_lease(self, lease: Lease) -> Lease:
        self.present = lease
        return lease

    def maintenances(self) -> Sequence[Maintenance]:
        return list(self.kept.values())

    def put_maintenance(self, maintenance: Maintenance) -> None:
        self.kept[maintenance.check] = maintenance

    def delete_maintenance(self, check: str | None) -> None:
        self.kept.pop(check, None)


class SimulatedWorker:
    """One worker: an engine, the turns of its board thread, and a loop that runs what is due.

    Attributes:
        blocked_since: When its event loop was blocked; None while it runs. Its board thread goes on.
        stopped_since: When its process was stopped (SIGSTOP); None while it runs.
        sick: Whether its own check fails.
        runs: When it ran the check of the host.
    """

    def __init__(
        self,
        number: int,
        store: MemoryStore,
        clock: Callable[[], float],
        checks: Sequence[Check] = (ONCE, OWN),
        *,
        quorum: int | float | None = None,
        workers: int | None = None,
    ) -> None:
        self.pid = number
        self.key = f"worker-{number}"
        self.store = store
        self.clock = clock
        self.engine = Engine(clock, lambda: 0.5)
        for check in checks:
            self.engine.add(check, None)
        self.blocked_since: float | None = None
        self.stopped_since: float | None = None
        self.sick = False
        self.runs: list[float] = []
        self.failed_turns = 0
        now = clock()
        self.engine.start(self, now)
        self.engine.await_host(now, now + 1.0)
        self.turns = Turns(Identity(self.key, number, now, STALL_TIMES), quorum=quorum, workers=workers)
        self.next_turn = now
        self.published = self.engine.own_statuses

    @property
    def moves(self) -> bool:
        """Whether its event loop runs."""
        return self.blocked_since is None and self.stopped_since is None

    def serve(self) -> None:
        self.engine.serve(self.clock())

    def status(self, probe: Probe) -> Status:
        """Return what its server answers now, where it answers."""
        return self.engine.probe_status(probe).at(self.clock())

    def own_status(self, probe: Probe) -> Status:
        return self.engine.own_statuses[probe].at(self.clock())

    def may_run_once(self) -> bool:
        """Return whether a result of the check of the host that it recorded now would count."""
        host = self.engine.host
        return host is not None and host.leader == self.key and self.clock() < self.lease_until()

    def lease_until(self) -> float:
        lease = self.store.present
        return 0.0 if lease is None or lease.holder != self.key else lease.until

    def step(self) -> None:
        """Do what is due at this moment."""
        if self.stopped_since is not None:
            return
        now = self.clock()
        if now >= self.next_turn or self.engine.own_statuses != self.published:
            self.published = self.engine.own_statuses
            lag = 0.0 if self.blocked_since is None else now - self.blocked_since
            try:
                self.turns.take(self.engine, self.store, self.clock, lag)
            except BoardUnavailable:
                self.failed_turns += 1
            self.next_turn = now + self.turns.seconds
        if self.blocked_since is None:
            self.engine.pass_on_decay(now)
            for run in self.engine.due(now).start:
                if run.check.name == "once":
                    self.runs.append(now)
                failed = run.check.name == "own" and self.sick
                self.engine.record(run, unhealthy("down") if failed else healthy(), now)


class Host:
    """The workers of one host, and the clock that they share."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.store = MemoryStore()
        self.workers: list[SimulatedWorker] = []
        self.runs_of_dead: list[float] = []
        self._numbers = 100

    def clock(self) -> float:
        return self.now

    def start(self, *, serve: bool = True, **options: object) -> SimulatedWorker:
        """Start a worker."""
        self._numbers += 1
        worker = SimulatedWorker(self._numbers, self.store, self.clock, **options)  # type: ignore[arg-type]
        self.workers.append(worker)
        if serve:
            worker.serve()
        return worker

    def advance(self, seconds: float, watch: Callable[[], None] = lambda: None) -> None:
        """Let time pass; `watch` is called after each step."""
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            for worker in self.workers:
                worker.step()
            watch()

    def kill(self, worker: SimulatedWorker) -> None:
        """End a process at once, without a last turn."""
        self.workers.remove(worker)
        self.store.dead.add(worker.key)
        self.runs_of_dead += worker.runs

    def leave(self, worker: SimulatedWorker) -> None:
        """End a worker in order."""
        worker.engine.stop(self.now)
        with suppress(BoardUnavailable):
            worker.turns.leave(self.store)
        self.kill(worker)

    def block(self, worker: SimulatedWorker) -> None:
        worker.blocked_since = self.now

    def unblock(self, worker: SimulatedWorker) -> None:
        worker.blocked_since = None

    def stop(self, worker: SimulatedWorker) -> None:
        worker.stopped_since = self.now

    def resume(self, worker: SimulatedWorker) -> None:
        worker.stopped_since = None

    def runs(self) -> list[float]:
        """Return when the check of the host was run, by any worker."""
        return sorted(self.runs_of_dead + [at for worker in self.workers for at in worker.runs])

    def statuses(self, probe: Probe) -> set[Status]:
        """Return the answers of the workers whose loop runs."""
        return {worker.status(probe) for worker in self.workers if worker.moves}


def published(worker: Worker, **changes: object) -> Worker:
    """Return `worker` with `changes`."""
    return replace(worker, **changes)  # type: ignore[arg-type]
