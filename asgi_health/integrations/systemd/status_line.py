"""The line that `systemctl status` shows."""

from ...core.engine import Engine
from ...core.status import Probe, Status

MAX_NAMES = 5
"""Names of checks in the line, which has at most 450 characters with them."""


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
    match known.reason:
        case None:
            return "ready"
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


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
