"""The faults, one worker at a time at random moments, and how long the answers of the host may take to follow."""

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from asgi_health.board.thread import MIN_PAUSE
from asgi_health.board.turn import MAX_LEADER_LAG, MIN_LEASE, SETTLING_TIME, TURN_INTERVAL
from asgi_health.core.check import JITTER
from asgi_health.runtime.watchdog.loop_heartbeat import PERIOD
from tests.support.waiting import wait_until

from .app import INTERVAL, Settings
from .host import Host

READY, LIVE = "/readyz", "/livez"

READ = TURN_INTERVAL * 1.1 + MIN_PAUSE
"""Seconds until a worker reads what another one has published."""
NOTICE = INTERVAL * (1 + JITTER)
"""Seconds until the next run of a check."""
TAKEOVER = NOTICE + max(MIN_LEASE + READ, PERIOD + MAX_LEADER_LAG + 2 * READ)
"""Seconds from one run of the check of the host to the next, when the worker that runs it fails in between: until its
lease ends and another worker claims it, or until it gives the lease up because its event loop is late."""


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Attributes:
        name: What happens to the worker.
        red_within: For each probe that the fault makes red: the seconds from its begin after which no answer is green.
        green_within: Seconds from its end after which no answer is red.
    """

    name: str
    red_within: dict[str, float]
    green_within: float


@dataclass
class Fault:
    """One fault. Moments are monotonic seconds.

    Attributes:
        kind: Its kind.
        pid: The worker.
        began: When it had begun.
        ends: When it was about to end: a worker that goes on answers what has waited for it at once.
        ended: When it had ended.
    """

    kind: Kind
    pid: int
    began: float
    ends: float
    ended: float


def kinds(settings: Settings) -> dict[str, Kind]:
    """Return the kinds of faults by name.

    A worker that is killed makes no answer red. One that is blocked or stopped is seen when its last beat, which may be
    a period old, is older than the limit; and each reader allows for a turn since the other one has published.
    """
    limits = {READY: settings.stall_ready, LIVE: settings.stall_live}
    stalled = {probe: PERIOD + limit + TURN_INTERVAL + READ for probe, limit in limits.items()}
    return {
        each.name: each
        for each in (
            Kind("killed", {}, READ),
            Kind("blocked", stalled, 2 * READ),
            Kind("stopped", stalled, 2 * READ),
            Kind("sick", {READY: NOTICE + READ}, NOTICE + READ),
        )
    }


def cause_faults(host: Host, settings: Settings, seconds: float, slack: float, seed: int) -> list[Fault]:
    """Cause one fault after the other until that number of seconds are over, and return them.

    A worker that has just started does not judge how old the slots of the others are: each fault waits for that.
    """
    chosen = random.Random(seed)
    kind_of = kinds(settings)
    fault_of: dict[str, Callable[[int], AbstractContextManager[None]]] = {
        "blocked": host.blocked,
        "stopped": host.stopped,
        "sick": host.sick,
    }
    faults: list[Fault] = []
    end = time.monotonic() + seconds
    order: list[str] = []
    time.sleep(SETTLING_TIME)
    while time.monotonic() < end:
        if not order:  # each kind as often as the others
            order = chosen.sample(sorted(kind_of), len(kind_of))
        kind = kind_of[order.pop()]
        pid = chosen.choice(host.pids)
        if kind.name == "killed":
            host.kill(pid)
            began = ends = ended = time.monotonic()
        else:
            with fault_of[kind.name](pid):
                began = time.monotonic()
                time.sleep(max(kind.red_within.values()) + slack + chosen.uniform(0.5, 3.0))
                ends = time.monotonic()
            ended = time.monotonic()
        faults.append(Fault(kind, pid, began, ends, ended))
        if kind.name == "killed":
            wait_until(lambda: len(host.pids) == host.server.workers, lambda: f"a new worker\n{host.running.log}")
            time.sleep(SETTLING_TIME)
        time.sleep(kind.green_within + slack + chosen.uniform(0.5, 3.0))
    return faults
