"""What a configuration has to know of an app: plain values, which the child process sends as JSON."""

import re
from dataclasses import dataclass
from typing import Any, Self

from .address import at, is_local

NO_LABEL = re.compile(r"[^a-z0-9]+")
LEADING = re.compile(r"^[0-9-]+")


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """One check; the attributes mean what they mean in `Check`."""

    name: str
    probes: tuple[str, ...]
    interval: float
    retry_interval: float
    timeout: float
    failure_threshold: int
    success_threshold: int


@dataclass(frozen=True, slots=True)
class ListenerFacts:
    """The listener.

    Attributes:
        host: Name or address; empty for a unix socket.
        port: The port; 0 for a unix socket.
        path: The path of a unix socket; None for an address of TCP.
        stall_live: Seconds of a blocked loop after which liveness is 503.
    """

    host: str
    port: int
    path: str | None
    stall_live: float

    @property
    def is_local(self) -> bool:
        """Whether only processes of the same host, or of the same pod, reach it."""
        return self.path is not None or is_local(self.host)

    def url(self, path: str) -> str:
        """Return the URL of `path`, for a command on the same host."""
        if self.path is not None:
            return f"unix:{self.path}:{path}"
        return f"http://{at(self.host if self.is_local else '127.0.0.1', self.port)}{path}"


@dataclass(frozen=True, slots=True)
class DrainFacts:
    """The drain; the attributes mean what they mean in `Drain`."""

    delay: float
    file: str | None
    path: str | None
    envoy: bool


@dataclass(frozen=True, slots=True)
class AppFacts:
    """One app.

    Attributes:
        target: Its name, as in `module:app`.
        live: A path of liveness; None where the app has none.
        ready: A path of readiness, or of all checks together where the app has none; None where it has neither.
        startup: A path of startup; None where the app has none.
        checks: Its checks.
        listener: Its listener; None where it has none, or one whose port the system chooses.
        drain: Its drain, if any.
        notifies_systemd: Whether `Systemd` is among its integrations.
        board: Path of the file that its workers share; None where each answers for itself.
    """

    target: str
    live: str | None
    ready: str | None
    startup: str | None
    checks: tuple[CheckFacts, ...] = ()
    listener: ListenerFacts | None = None
    drain: DrainFacts | None = None
    notifies_systemd: bool = False
    board: str | None = None

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Self:
        """Return the facts that `dataclasses.asdict` and JSON have carried."""
        checks = [CheckFacts(**each | {"probes": tuple(each["probes"])}) for each in row["checks"]]
        listener, drain = row["listener"], row["drain"]
        parts: dict[str, Any] = {
            "checks": tuple(checks),
            "listener": None if listener is None else ListenerFacts(**listener),
            "drain": None if drain is None else DrainFacts(**drain),
        }
        return cls(**row | parts)

    @property
    def name(self) -> str:
        """A name for the service: the package of the app, as a label of DNS that begins with a letter (RFC 1035)."""
        package = self.target.partition(":")[0].partition(".")[0].lower()
        return LEADING.sub("", NO_LABEL.sub("-", package))[:63].rstrip("-") or "app"

    @property
    def delay(self) -> float:
        """Seconds for which a SIGTERM is delayed; 0 without a Drain that delays it."""
        return 0.0 if self.drain is None else self.drain.delay
