"""What every server of the tests can do."""

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..daemon import Daemon
from ..port import HOST
from ..proxy import Proxy, proxied

USER = "health"
PASSWORD = "rightsecret"
WRONG_PASSWORD = "wrongsecret"
DATABASE = "health"

UNPRIVILEGED = "unprivileged"
"""A user with the same password who may connect and nothing else."""

LIMITED = "limited"
"""A user with the same password who may have two connections."""

PROGRAMS = Path(__file__).with_name("programs")


class Missing(Exception):
    """The server is not installed. The message says what to install."""


@dataclass(frozen=True)
class Target:
    """Where a client connects, and as which user."""

    port: int
    host: str = HOST
    user: str = USER
    password: str = PASSWORD
    database: str = DATABASE


class Server(ABC):
    """One server, on a port that is reserved for it."""

    name: ClassVar[str]
    """Its key in SERVERS."""

    daemon: Daemon

    def __init__(self, folder: Path, port: int) -> None:
        """Prepare its files in `folder`, without starting it. Raises Missing where it is not installed."""
        self.folder = folder
        self.port = port

    @abstractmethod
    def ready(self) -> bool:
        """Return whether it answers as it should."""

    @abstractmethod
    def connections(self) -> int:
        """Return how many clients are connected, by its own count, without the one that asks."""

    def start(self) -> None:
        self.daemon.start(self.ready)

    def proxied(self) -> AbstractAsyncContextManager[Proxy]:
        """Put a faulty network in front of it, for clients that connect to the port of the proxy."""
        return proxied(self.port)

    def restore(self) -> None:
        """Bring it back to what the next test expects, whatever the last test did."""
        if self.daemon.alive:
            self.daemon.thaw()
        else:
            self.start()
