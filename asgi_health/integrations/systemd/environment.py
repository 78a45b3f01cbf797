"""What systemd passes to the processes of a service in their environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ...core.logger import logger

USEC_INFINITY = 2**64 - 1
"""systemd's value for "never"."""

Role = Literal["main", "worker", "unknown"]
"""What a process is in its service. Unknown where systemd is older than 248 and the unit has no WatchdogSec=."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the messages go, and which of them systemd expects of this process.

    Attributes:
        address: Address of the socket; that of an abstract one begins with a zero byte.
        role: Whether this is the main process of the service or a worker below it.
        watchdog: Seconds within which systemd expects a ``WATCHDOG=1``; None where it expects none.
    """

    address: str
    role: Role
    watchdog: float | None


def read_environment(environ: Mapping[str, str], pid: int, parent: int) -> Environment | None:
    """Return what systemd expects of the process `pid` whose parent is `parent`; None where it expects nothing.

    The process started by systemd has its own number in WATCHDOG_PID, where the unit has a WatchdogSec=, and in
    SYSTEMD_EXEC_PID (since systemd 248). Its children inherit both. sd_watchdog_enabled(3) leaves the beats to the
    process in WATCHDOG_PID. No ASGI server sends any for its workers, so here the children of that process send them
    too, and NotifyAccess= of the unit decides whether they count.
    """
    address = _address(environ.get("NOTIFY_SOCKET", ""))
    if address is None:
        return None
    exec_pid = _number("SYSTEMD_EXEC_PID", environ)
    watchdog_pid = _number("WATCHDOG_PID", environ)
    watchdog = _number("WATCHDOG_USEC", environ)
    if watchdog is None or watchdog == USEC_INFINITY or ("WATCHDOG_PID" in environ and watchdog_pid is None):
        watchdog = None
    elif watchdog_pid not in (None, pid, parent):
        logger.warning(
            "systemd: WATCHDOG_PID is %d; expected this process (%d) or its parent (%d): no WATCHDOG=1 is sent",
            watchdog_pid,
            pid,
            parent,
        )
        watchdog = None
    known = {exec_pid, watchdog_pid} - {None}
    role: Role = "unknown" if not known else "main" if pid in known else "worker"
    return Environment(address, role, None if watchdog is None else watchdog / 1_000_000)


def _address(value: str) -> str | None:
    if not value:
        return None
    if len(value) > 1 and value[0] in "/@":
        return value if value[0] == "/" else f"\0{value[1:]}"
    logger.warning(
        "systemd: NOTIFY_SOCKET is %r; expected an absolute path, or @ and the name of an abstract socket (vsock is not"
        " supported): systemd is not notified",
        value,
    )
    return None


def _number(name: str, environ: Mapping[str, str]) -> int | None:
    value = environ.get(name)
    if value is None:
        return None
    if value.isascii() and value.isdigit() and len(value) <= 20 and 0 < int(value) <= USEC_INFINITY:
        return int(value)
    logger.warning("systemd: %s is %r; expected a whole number above 0: it is ignored", name, value)
    return None
