"""What the other workers of the host see failing: an incident of the host is one incident, whichever worker sees it."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from ...core.status import Probe, Status
from ...core.workers import NAMES_OF_CHECKS, Host, Worker, WorkerProbe
from .incidents import Cause, Problem
from .problems import EVENT_LOOP, Problems

KEEP = 60.0
"""Seconds for which what the others have seen is not over when the board cannot be used: it is not known then."""

_Found = list[tuple[Worker, WorkerProbe]]


class Elsewhere:
    """Add what the other workers see to what this one sees.

    A worker names the checks behind its status alone, ten at most. So the failure of a check that it has named before
    is over when its status can no longer hide it.

    Args:
        minimum: From which effect on the app on something counts as wrong.
    """

    def __init__(self, minimum: Status) -> None:
        self._minimum = minimum
        self._named: dict[str, frozenset[str]] = {}
        self._seen = -inf
        self.subjects = frozenset[str]()
        """What the others have seen failing at one of the last two looks. Where two workers see one incident, a change
        in one of them alone is none of the incident."""

    def add_to(self, problems: Problems, host: Host | None, now: float) -> Problems:
        """Return `problems` of this worker with those of the others.

        Args:
            problems: What is wrong in this worker.
            host: The workers of the host; None where they are not known.
            now: The present moment (seconds of `time.monotonic`).
        """
        failing: dict[str, _Found] = {}
        count = 1
        before = self._all_named()
        if host is not None:
            self._seen = now
            self._named, failing = self._look(host)
            count = sum(host.counts(each, Probe.HEALTH) for each in host.workers)
        elif now - self._seen > KEEP:
            self._named = {}
        named = self._all_named()
        self.subjects = named | before
        if not named:
            return problems
        found = {name: each for name, each in problems.found.items() if each is not None or name not in named}
        for name, workers in failing.items():
            found[name] = _merge(found.get(name), name, workers, count)
        return replace(problems, found=found, checks=problems.checks | named)

    def _all_named(self) -> frozenset[str]:
        return frozenset[str]().union(*self._named.values())

    def _look(self, host: Host) -> tuple[dict[str, frozenset[str]], dict[str, _Found]]:
        """Return what each of the others may see failing, and which of them see what at the moment."""
        named: dict[str, frozenset[str]] = {}
        failing: dict[str, _Found] = {}
        for worker in host.workers:
            if worker.key == host.own or not host.counts(worker, Probe.HEALTH):
                continue
            found = worker.probe_at(Probe.HEALTH, host.at)
            names = self._names(found)
            for name in names:
                failing.setdefault(name, []).append((worker, found))
            before = frozenset[str]() if self._names_all(found) else self._named.get(worker.key, frozenset())
            if names or before:
                named[worker.key] = before.union(names)
        return named, failing

    def _names(self, found: WorkerProbe) -> Sequence[str]:
        if found.status < self._minimum:
            return ()
        if found.reason == "stalled":
            return (EVENT_LOOP,)
        return found.checks if found.reason in ("check", "stale") else ()

    def _names_all(self, found: WorkerProbe) -> bool:
        """Return whether nothing else of this worker can fail."""
        if found.status < self._minimum:
            return True
        return (
            found.reason in ("check", "stale")
            and found.status is self._minimum
            and 0 < len(found.checks) < NAMES_OF_CHECKS
        )


def _merge(own: Problem | None, name: str, workers: _Found, of: int) -> Problem:
    pids = [worker.pid for worker, _ in workers]
    if own is not None:
        where = f" (in {len(pids) + 1} of {of} workers)" if own.message and len(pids) + 1 < of else ""
        return replace(
            own, message=f"{own.message}{where}", since=min([own.since, *(each.since for _, each in workers)])
        )
    where = f"worker {pids[0]}" if len(pids) == 1 else f"{len(pids)} of {of} workers, first {pids[0]}"
    _, first = min(workers, key=lambda each: (-each[1].status, each[1].since))
    if name == EVENT_LOOP:
        message = f"the event loop of {where} is blocked"
        return Problem(Status.UNHEALTHY, "stalled", message, first.since)
    message = f"no new result in {where}" if first.reason == "stale" else f"fails in {where}"
    cause: Cause = "stale" if first.reason == "stale" else "check"
    return Problem(first.status, cause, message, first.since, critical=first.status is Status.UNHEALTHY)
