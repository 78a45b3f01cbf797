"""Why the workers of a host are not healthy, in words."""

from ..core.status import Probe, Status
from ..core.workers import Host, WorkerProbe

MAX_WORKERS = 5
"""Workers that a text names; the rest is counted. The details as JSON have all of them."""

MAX_NAMES = 5
"""Names of checks that a text gives for each worker; the rest is counted."""


def workers_behind(host: Host, probe: Probe, status: Status) -> str:
    """Return which workers make `probe` as bad as `status`, and why; empty where none does, or there is only one.

    ``2 of 4 workers: worker 4242: database fails; worker 4243: its event loop is blocked``.
    """
    if status is Status.HEALTHY or len(host.workers) < 2:
        return ""
    found = host.behind(probe, status)
    if not found:
        return ""
    named = [f"worker {worker.pid}: {because(each)}" for worker, each in found[:MAX_WORKERS]]
    if len(found) > len(named):
        named.append(f"and {len(found) - len(named)} more")
    return f"{len(found)} of {len(host.workers)} workers: {'; '.join(named)}"


def because(found: WorkerProbe) -> str:
    """Return why a worker is not healthy: ``database fails``, ``its event loop is blocked``."""
    names = listed(found.checks)
    match found.reason:
        case None:
            return "healthy"
        case "starting":
            return f"it waits for {names}" if names else "it starts"
        case "check":
            warns = found.status is Status.DEGRADED
            one, many = ("has a problem", "have problems") if warns else ("fails", "fail")
            return f"{names} {one if len(found.checks) == 1 else many}" if names else f"a check {one}"
        case "stale":
            return f"no new result of {names}" if names else "a check has no new result"
        case "stalled":
            return "its event loop is blocked"
        case "draining":
            return "it drains"
        case "maintenance":
            return f"maintenance of {names}" if names else "maintenance"
        case "stopped":
            return "its checks have ended"
        case "worker":
            return "another worker"


def listed(names: tuple[str, ...]) -> str:
    """Return the first names with commas, and how many more there are."""
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
