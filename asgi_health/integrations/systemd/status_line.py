"""The line that `systemctl status` shows."""

from ...core.engine import Engine
from ...core.status import Probe, Status
from ...core.workers import Host
from ...formats.workers import workers_behind

MAX_NAMES = 5
"""Names of checks in the line, which has at most 450 characters with them."""

MAX_WORKERS_TEXT = 400
"""Characters of the workers of a host and their checks in the line."""


def status_line(engine: Engine, now: float, *, terminating: bool) -> str:
    """Return the reason of readiness in one line of printable ASCII.

    It has the names of checks, which are of ``a-z 0-9 . _ -``, and no other text of the app: a line end in it would
    begin another field of the message.

    Args:
        engine: The engine.
        now: The present moment (seconds of the engine's clock).
        terminating: Whether the process is about to stop.
    """
    known = engine.known(Probe.READINESS)
    names = _listed(engine.names_behind(Probe.READINESS, known, now))
    ready = "not ready" if known.status is Status.UNHEALTHY else "ready, with a warning"
    workers = _workers(engine.host, known.status)
    if workers and known.reason in ("check", "stale", "stalled", "worker"):
        return f"{ready}: {workers}"
    match known.reason:
        case None:
            return _starting(engine) or "ready"
        case "starting":
            return f"starting: waits for {names}" if names else "starting"
        case "check":
            return f"{ready}: {names}"
        case "stale":
            return f"{ready}: no new result of {names}"
        case "stalled":
            return f"{ready}: the event loop is blocked"
        case "draining":
            return f"{ready}: draining, then it stops" if terminating else f"{ready}: draining"
        case "maintenance":
            return f"{ready}: maintenance of {names}" if names else f"{ready}: maintenance"
        case "stopped":
            return "stopping"
        case "worker":
            return f"{ready}: another worker of the host"


def _workers(host: Host | None, status: Status) -> str:
    """Return which workers of the host give readiness this status; empty where there is one worker."""
    if host is None:
        return ""
    found = workers_behind(host, Probe.READINESS, status)[:MAX_WORKERS_TEXT]
    return "".join(each if " " <= each <= "~" else "?" for each in found)  # from a file, which may be damaged


def _starting(engine: Engine) -> str:
    """Return what the service waits for where this worker is ready; empty when all have started."""
    host = engine.host
    if host is None or engine.known(Probe.STARTUP).status is not Status.UNHEALTHY:
        return ""
    waiting = host.behind(Probe.STARTUP, Status.UNHEALTHY)
    return f"starting: {len(waiting)} of {len(host.workers)} workers have not started" if waiting else "starting"


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
