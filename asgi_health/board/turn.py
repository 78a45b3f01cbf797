"""One turn of a worker at the board: it writes its slot, reads those of the others, and acts on what they add up to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..core.engine import Engine
from ..core.lease import Lease, claim
from ..core.lifecycle import Phase
from ..core.logger import logger
from ..core.maintenance import Maintenance, subject_of
from ..core.stalls import StallTimes
from ..core.workers import Worker, combine
from .interface import Store

TURN_INTERVAL = 0.25
"""Seconds between two turns of a worker, for up to 50 workers."""

MAX_TURN_INTERVAL = 2.5
"""Seconds between two turns of a worker, at most."""

WORKERS_PER_SECOND = 200
"""Turns that all workers of a host take in a second together: each is a transaction, and one at a time writes."""

MIN_LEASE = 1.0
"""Seconds for which the lease of the host lasts at least. It lasts four turns, so that a late one loses nothing."""

MIN_VALIDITY = 3.0
"""Seconds for which what a worker has read counts at least, while it reads nothing new."""

SUSPENSION = 2.0
"""Seconds between two turns of one worker after which the others may not have had theirs either: the host was
suspended, or the board could not be used."""

SETTLING_TIME = 4.0
"""Seconds after such a gap in which the age of another worker's slot does not count. All have a turn in that time."""

NEW = 5.0
"""Seconds from the start of a worker in which it leaves the lease of the host to older ones."""

MAX_LEADER_LAG = 1.0
"""Seconds by which the event loop of the worker that runs the checks of the host may be late."""


def turn_interval(workers: int) -> float:
    """Return the seconds between two turns of one of that number of workers."""
    return min(max(TURN_INTERVAL, workers / WORKERS_PER_SECOND), MAX_TURN_INTERVAL)


@dataclass(frozen=True, slots=True)
class Identity:
    """What does not change about a worker in one lifespan.

    Attributes:
        key: Its key.
        pid: Number of its process.
        started: When its lifespan began (seconds of `time.monotonic`).
        stall_times: How long its event loop may be blocked.
    """

    key: str
    pid: int
    started: float
    stall_times: StallTimes


class _Read(NamedTuple):
    now: float
    own: Worker
    others: list[Worker]
    lease: Lease | None


class Turns:
    """The turns of one worker, from the first one to `leave`.

    Args:
        identity: The worker.
        quorum: As in Board.
        workers: As in Board.
    """

    def __init__(self, identity: Identity, *, quorum: int | float | None = None, workers: int | None = None) -> None:
        self._identity = identity
        self._quorum = quorum
        self._expected = workers
        self._last: Worker | None = None
        self._judges_from = 0.0
        self._file = ""
        self._maintenances: dict[str | None, Maintenance] = {}
        self.seconds = TURN_INTERVAL
        """Seconds until the next turn is due."""

    def take(self, engine: Engine, store: Store, clock: Callable[[], float], loop_lag: float) -> None:
        """Take one turn. Raises BoardUnavailable; the worker then goes on with what it has read before.

        Args:
            engine: The engine of this worker, which has the same clock.
            store: The board.
            clock: The clock (seconds of `time.monotonic`).
            loop_lag: Seconds by which the event loop of this worker is late.
        """
        read, begun_or_ended = self._exchange(engine, store, clock, loop_lag)
        now, own, others, lease = read
        last, self._last = self._last, own
        if last is None or now - last.updated > SUSPENSION + self.seconds:
            self._judges_from = now + SETTLING_TIME
        if now < self._judges_from:
            others = [replace(each, beat=None) for each in others]
        host = combine(
            own,
            others,
            now - self.seconds,  # the others may have run since their last turn
            quorum=self._quorum,
            expected=self._expected,
            leader=None if lease is None or now >= lease.until else lease.holder,
        )
        engine.set_host(
            host,
            now,
            until=now + max(MIN_VALIDITY, 4 * self.seconds),
            leads_until=lease.until if lease is not None else now,
        )
        self._follow_drain(engine, others, now)
        for name, maintenance in begun_or_ended.items():
            engine.adopt_maintenance(name, maintenance, now)
            if maintenance is None:
                logger.info("maintenance of %s ends before its time: another worker ended it", subject_of(name))
            else:
                logger.info("maintenance of %s begins: another worker began it", subject_of(name))

    def leave(self, store: Store) -> None:
        """Delete the slot of this worker, and give up its lease. Raises BoardUnavailable."""
        key = self._identity.key
        with store.transaction() as transaction:
            transaction.delete_worker(key)
            lease = transaction.lease()
            if lease is not None and lease.holder == key:
                transaction.put_lease(replace(lease, until=0.0))

    def _exchange(
        self, engine: Engine, store: Store, clock: Callable[[], float], loop_lag: float
    ) -> "tuple[_Read, dict[str | None, Maintenance | None]]":
        identity = self._identity
        with store.transaction() as transaction:
            now = clock()  # not before: the transaction of another worker may have taken its time
            others = [each for each in transaction.living_workers() if each.key != identity.key]
            self.seconds = turn_interval(1 + len(others))
            former = transaction.lease()
            holds = former is not None and former.holder == identity.key and now < former.until
            can_lead = (
                loop_lag < MAX_LEADER_LAG
                and _can_lead(engine, others)
                and (holds or not self._leaves_it_to_older(others, now))
            )
            lease = claim(former, identity.key, now, max(MIN_LEASE, 4 * self.seconds), can_lead=can_lead)
            if lease is not None and lease != former:
                lease = transaction.put_lease(lease)  # another worker may have been faster
            own = engine.own_worker(
                identity.key,
                identity.pid,
                now,
                started=identity.started,
                beat=now - loop_lag,
                stall_times=identity.stall_times,
                leads=lease is not None and lease.holder == identity.key and now < lease.until,
            )
            own = own if self._last is None else _with_beginnings(own, self._last)
            transaction.put_worker(own)
            changes = self._compare_maintenances(engine, store, transaction.maintenances(), now)
            for name, maintenance in changes.to_write.items():
                if maintenance is None:
                    transaction.delete_maintenance(name)
                else:
                    transaction.put_maintenance(maintenance)
        self._file, self._maintenances = store.identity, changes.known
        return _Read(now, own, others, lease), changes.to_adopt

    def _leaves_it_to_older(self, others: list[Worker], now: float) -> bool:
        """Return whether this worker has just started, and an older one can lead.

        The older one knows of incidents that it has to end: their alerts were sent before this one started.
        """
        started = self._identity.started
        return now - started < NEW and any(
            each.started < started
            and each.phase is Phase.SERVING
            and each.beat is not None
            and now - each.beat < MAX_LEADER_LAG
            for each in others
        )

    def _compare_maintenances(
        self, engine: Engine, store: Store, read: Sequence[Maintenance], now: float
    ) -> "_Changes":
        """Compare the maintenances here, on the board, and on the board at the last turn.

        What has changed here since then is written, and anything else is taken over. A file that was made again has
        lost the maintenances, and nothing was known about it.
        """
        known = self._maintenances if store.identity == self._file else {}
        if not (read or known or engine.maintenances(now)):  # as a rule; an app may have thousands of checks
            return _Changes({}, {}, {})
        here: dict[str | None, Maintenance | None] = {None: None, **{each.name: None for each in engine.checks}}
        here.update({each.check: each for each in engine.maintenances(now)})
        there = {each.check: each for each in read if now < each.until and each.check in here}
        changes = _Changes({}, {}, there)
        for name, maintenance in here.items():
            if maintenance == there.get(name):
                continue
            if maintenance != _if_present(known.get(name), now):
                changes.to_write[name] = maintenance
            else:
                changes.to_adopt[name] = there.get(name)
        for name, maintenance in changes.to_write.items():
            if maintenance is None:
                changes.known.pop(name, None)
            else:
                changes.known[name] = maintenance
        for each in read:
            if now >= each.until:
                changes.to_write.setdefault(each.check, None)
        return changes

    def _follow_drain(self, engine: Engine, others: list[Worker], now: float) -> None:
        """Drain where another worker was ordered to, unless this one has started since then."""
        if engine.drain_ordered or engine.phase is Phase.STOPPED:
            return
        orders = [each.drain_ordered_at for each in others if each.drain_ordered_at is not None]
        if orders and max(orders) > self._identity.started:
            engine.drain(now, ordered_at=max(orders))
            logger.info("draining: another worker of the host got the order", extra={"cause": "draining"})


class _Changes(NamedTuple):
    to_write: dict[str | None, Maintenance | None]
    to_adopt: dict[str | None, Maintenance | None]
    known: dict[str | None, Maintenance]


def _if_present(maintenance: Maintenance | None, now: float) -> Maintenance | None:
    return None if maintenance is None or now >= maintenance.until else maintenance


def _can_lead(engine: Engine, others: list[Worker]) -> bool:
    """Return whether a worker runs its checks, and does not leave others that go on."""
    if engine.phase is Phase.DRAINING:
        return engine.app_started and not any(each.phase is Phase.SERVING for each in others)
    return engine.phase is Phase.SERVING


def _with_beginnings(own: Worker, last: Worker) -> Worker:
    """Return `own`, whose probes keep the beginning of a status that has not changed since the last turn."""
    probes = {
        probe: replace(present, since=before.since)
        if (before := last.probes[probe]).status is present.status and before.reason == present.reason
        else present
        for probe, present in own.probes.items()
    }
    return replace(own, probes=probes)
