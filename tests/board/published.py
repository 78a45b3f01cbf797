"""A worker as it is published on a board."""

import os
import time
from dataclasses import replace
from typing import Any

from asgi_health import Probe, Status
from asgi_health.core.lifecycle import Phase
from asgi_health.core.stalls import StallTimes
from asgi_health.core.workers import Worker, WorkerProbe


def published(key: str = "own", **changes: Any) -> Worker:
    """Return what a healthy worker in this process publishes now, with `changes`."""
    now = time.monotonic()
    worker = Worker(
        key=key,
        pid=os.getpid(),
        started=now,
        updated=now,
        beat=now,
        phase=Phase.SERVING,
        startup_passed=True,
        drain_ordered_at=None,
        stall_times=StallTimes(),
        probes={probe: WorkerProbe(Status.HEALTHY, since=now) for probe in Probe},
    )
    return replace(worker, **changes)
