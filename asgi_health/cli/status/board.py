"""Reads the status of an app from the board of its workers: also while all of them are blocked, or none runs."""

import time
from collections.abc import Sequence
from typing import Any

from ...core.maintenance import Maintenance
from ...core.status import Probe
from ...core.status import Status as ProbeStatus
from ...core.workers import Worker, WorkerProbe
from ...formats.answer import WORDS
from ...formats.health_json import timestamp
from ..board_file import transaction_on
from ..place import BoardFile
from .app import maintenance_table
from .table import Status, Table, age


def status_of_board(board: BoardFile) -> Status:
    """Return what the workers have written. Raises BoardUnavailable."""
    with transaction_on(board) as transaction:
        now, wall = time.monotonic(), time.time()
        workers = sorted(transaction.living_workers(), key=lambda each: each.started)
        lease = transaction.lease()
        present = [each for each in transaction.maintenances() if now < each.until]
    leader = lease.holder if lease is not None and now < lease.until else None
    ready = _is_ready(workers, present, now)
    rows = [_worker(each, leader, now, wall) for each in workers]
    maintenances = [
        {"check": each.check, "until": timestamp(each.until - now + wall), "reason": each.reason} for each in present
    ]
    word = "ready" if ready else "not ready"
    count = f"{len(workers)} worker{'' if len(workers) == 1 else 's'}"
    document = {"ready": ready, "workers": rows, "maintenances": maintenances}
    return Status(ready, [f"{word}: {count}"], (_table(rows), maintenance_table(maintenances)), document)


def _is_ready(workers: Sequence[Worker], maintenances: Sequence[Maintenance], now: float) -> bool:
    """Return whether every worker that counts for readiness is ready, and there is one.

    The board does not know the quorum of the app: with one, the app may be ready while this says that it is not.
    """
    counted = [each for each in workers if each.counts_for(Probe.READINESS, now)]
    of_app = any(each.check is None for each in maintenances)
    return bool(counted) and not of_app and all(_at(each, Probe.READINESS, now)[0] != "fail" for each in counted)


def _worker(worker: Worker, leader: str | None, now: float, wall: float) -> dict[str, Any]:
    (ready, readiness), (live, liveness) = (_at(worker, each, now) for each in (Probe.READINESS, Probe.LIVENESS))
    return {
        "pid": worker.pid,
        "phase": worker.phase.name.lower(),
        "readiness": ready,
        "reason": readiness.reason,
        "liveness": live,
        "since": timestamp(readiness.since - now + wall),
        "sinceSeconds": round(now - readiness.since, 3),
        "checks": sorted({*readiness.checks, *liveness.checks}),
        "ageSeconds": round(now - worker.updated, 3),
        "leader": worker.key == leader,
    }


def _at(worker: Worker, probe: Probe, now: float) -> tuple[str, WorkerProbe]:
    """Return the status of a probe of a worker, as a word and as it is.

    A worker that writes nothing for as long as its event loop may be blocked is not healthy, whatever it wrote last:
    its process may be stopped.
    """
    own = worker.probe_at(probe, now)
    stall = worker.stall_times.stall(probe, now - worker.updated)
    if stall is not None and stall.too_long and own.status is not ProbeStatus.UNHEALTHY:
        own = WorkerProbe(ProbeStatus.UNHEALTHY, "stalled", (), worker.updated)
    return WORDS[own.status], own


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    header = ("WORKER", "PHASE", "READY", "LIVE", "SINCE", "REASON", "CHECKS", "WROTE", "ROLE")
    return Table(
        header,
        [
            (
                str(each["pid"]),
                each["phase"],
                each["readiness"],
                each["liveness"],
                age(each["sinceSeconds"]),
                each["reason"] or "",
                ", ".join(each["checks"]),
                f"{each['ageSeconds']:.1f} s ago",
                "leader" if each["leader"] else "",
            )
            for each in rows
        ],
    )
