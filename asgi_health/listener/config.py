"""The configuration of a listener."""

import re
from dataclasses import dataclass

from ..core.stalls import StallTimes
from ..core.validate import require_seconds, require_short, require_type

MAX_STALL = 3600
"""Seconds. A loop that is blocked for longer does not recover."""

DEFAULT_MODE = 0o660
"""The user and the group of the process may connect."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Answer the same endpoints from a thread of its own, for probes that arrive while the app's loop is blocked.

    It answers from before the app's startup until its end. From the heartbeat of the app's event loop it knows whether
    the loop is blocked.

    Attributes:
        address: ``127.0.0.1:9000``, ``[::1]:9000``, or the path of a unix socket, which contains a slash.
        stall_ready: Seconds for which the loop has been blocked when readiness becomes 503.
        stall_live: Seconds for which the loop has been blocked when liveness becomes 503, so that Kubernetes restarts
            the container.
        mode: Mode (octal) of a unix socket's file, whatever the umask of the process; clients need write permission.
            0o660: the user and the group of the process. HAProxy and nginx run as users of their own: add them to that
            group, or set 0o666 and restrict access by the directory.

    Raises:
        TypeError, ValueError: for a configuration that could not work.
    """

    address: str
    stall_ready: float = 5.0
    stall_live: float = 30.0
    mode: int = DEFAULT_MODE

    def __post_init__(self) -> None:
        self._require_address()
        require_seconds("listener: stall_ready", self.stall_ready)
        require_short("listener: stall_ready", self.stall_ready)
        require_seconds("listener: stall_live", self.stall_live)
        # A startup that blocks the loop may take minutes; a number above an hour is probably meant as milliseconds.
        require_short("listener: stall_live", self.stall_live, MAX_STALL)
        if self.stall_live < self.stall_ready:
            raise ValueError(
                f"listener: stall_live {self.stall_live} s must not be shorter than stall_ready {self.stall_ready} s:"
                " what is not alive is not ready"
            )
        _require_mode(self.mode)
        if self.mode != DEFAULT_MODE and self.path is None:
            raise ValueError(
                f"listener: mode 0o{self.mode:03o} applies to the file of a unix socket, but address"
                f" {self.address!r} is a TCP address"
            )

    def _require_address(self) -> None:
        require_type("listener: address", self.address, str)
        if "://" in self.address or self.address.startswith("unix:"):
            raise ValueError(
                f"listener: address {self.address!r} must be host:port or the path of a unix socket, without a scheme"
            )
        if "\0" in self.address:
            raise ValueError(f"listener: address {self.address!r} has a NUL in it")
        if self.path:
            return
        # Host and port as two arguments, as socket libraries take them: the second argument here is stall_ready.
        host = f"[{self.address}]" if self.address.count(":") > 1 and "]" not in self.address else self.address
        if isinstance(self.stall_ready, int | str) and ":" not in host.rpartition("]")[2]:
            raise ValueError(
                f"listener: address {self.address!r} must be one string with the port in it:"
                f" '{host}:{self.stall_ready}'"
            )
        _ = self.host, self.port

    @property
    def path(self) -> str | None:
        """The path of the unix socket, None for an address of TCP."""
        return self.address if "/" in self.address else None

    @property
    def host(self) -> str:
        """The name or address of the host."""
        host, colon, _ = self.address.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not colon or host in ("", "[]", "*") or (":" in host and not bracketed):
            raise ValueError(
                f"listener: address {self.address!r} must be host:port such as '127.0.0.1:9000' or '[::1]:9000',"
                " or the path of a unix socket"
            )
        return host[1:-1] if bracketed else host

    @property
    def port(self) -> int:
        """The port; 0 lets the system choose, and the log says which one it is."""
        text = self.address.rpartition(":")[2]
        if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535):
            raise ValueError(f"listener: address {self.address!r}: {text!r} is not a port (0 to 65535)")
        return int(text)

    @property
    def stall_times(self) -> StallTimes:
        """How long the loop may be blocked before probes are unhealthy."""
        return StallTimes(self.stall_ready, self.stall_live)


def _require_mode(mode: object) -> None:
    if isinstance(mode, bool) or not isinstance(mode, int):
        raise TypeError(f"listener: mode must be a number such as 0o660, not {mode!r}")
    if not 0 <= mode <= 0o777:
        octal = f"0o{mode}"
        meant = f"; did you mean {octal}?" if re.fullmatch("0o[0-7]{3}", octal) else ""
        raise ValueError(f"listener: mode {mode} must be in 0o000 to 0o777{meant}")
    if not mode & 0o222:
        raise ValueError(
            f"listener: mode 0o{mode:03o} allows no user to connect, which needs write permission; expected one"
            " such as 0o660"
        )
