"""Where the probes are answered besides the app's own server, and how long a silent loop is given."""

from dataclasses import dataclass

from .require import require_seconds, require_type
from .stalls import Stall
from .status import Probe


@dataclass(frozen=True, slots=True)
class Listener:
    """The same endpoints from a thread of their own, for probes that arrive while the app's loop is busy or blocked.

    It answers before the app has started and from the heartbeat of its loop: a loop that has not had a turn for
    `stall_ready` seconds is not ready, one that has not for `stall_live` is not alive.

    Raises ValueError or TypeError for what could not work.
    """

    address: str
    """``127.0.0.1:9000``, ``[::1]:9000``, or the path of a unix socket, which has a slash in it."""
    stall_ready: float = 5.0
    stall_live: float = 30.0

    def __post_init__(self) -> None:
        require_seconds("listener: stall_ready", self.stall_ready)
        require_seconds("listener: stall_live", self.stall_live)
        if self.stall_live < self.stall_ready:
            raise ValueError(
                f"listener: stall_live {self.stall_live} s must not be shorter than stall_ready {self.stall_ready} s:"
                " what is not alive is not ready"
            )
        require_type("listener: address", self.address, str)
        if "://" in self.address or self.address.startswith("unix:"):
            raise ValueError(
                f"listener: address {self.address!r} must be host:port or the path of a unix socket, without a scheme"
            )
        if "\0" in self.address:
            raise ValueError(f"listener: address {self.address!r} has a NUL in it")
        if not self.path:
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
        """The port; 0 lets the system choose, and the log says which one it was."""
        text = self.address.rpartition(":")[2]
        if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535):
            raise ValueError(f"listener: address {self.address!r}: {text!r} is not a port (0 to 65535)")
        return int(text)

    def stall(self, probe: Probe | None, seconds: float) -> Stall | None:
        """Return what a loop that is late by `seconds` means for `probe`; startup, once passed, stays passed."""
        if probe is Probe.STARTUP:
            return None
        return Stall(seconds, self.stall_live if probe is Probe.LIVENESS else self.stall_ready)
