"""What every server here can do."""

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from ..daemon import Daemon
from ..port import HOST
from ..proxy import Proxy, proxied

USER = "health"
PASSWORD = "rightsecret"
WRONG_PASSWORD = "wrongsecret"
DATABASE = "health"
HUMBLE = "humble"
"""A user who may connect and nothing else, with the same password."""


FEW = "few"
"""A user with the same password whose connections the server limits to two."""


class Missing(Exception):
    """The server is not installed. Says what to install."""


@dataclass(frozen=True)
class Target:
    """Where a client is told to go, and as whom."""

    port: int
    host: str = HOST
    user: str = USER
    password: str = PASSWORD
    database: str = DATABASE


class Server(ABC):
    """One private server on a port that is held for it."""

    daemon: Daemon

    def __init__(self, folder: Path, port: int) -> None:
        """Prepare what it needs in `folder`, without starting it. Raises Missing where it is not installed."""
        self.folder = folder
        self.port = port

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers as it should."""

    @abstractmethod
    def connections(self) -> int:
        """How many clients are connected, by its own count, without the one that asks."""

    def start(self) -> None:
        self.daemon.start(self.ready)

    def proxied(self) -> AbstractAsyncContextManager[Proxy]:
        """Put a bad network before it, for whoever goes to the port of the proxy."""
        return proxied(self.port)

    def mend(self) -> None:
        """Leave it as the next test expects it, whatever the last one did."""
        if self.daemon.alive:
            self.daemon.thaw()
        else:
            self.start()
