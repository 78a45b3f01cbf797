"""What the user says about the place where the app runs."""

from dataclasses import dataclass

from .address import Instance, is_local
from .servers import Server

ALL_ADDRESSES = "0.0.0.0"
"""What a server listens on in a container, whose address is not known before."""

BALANCER_PORTS = 8080, 8081
"""Where a balancer listens: at the first one, unless an instance on the same host has it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What no import of the app can show.

    Attributes:
        server: The server that runs the app.
        port: The port of the app.
        hosts: The addresses that the user has named, if any.
        start: Seconds for the imports and the app's own startup.
        longest_request: Seconds of the longest request.
    """

    server: Server
    port: int
    hosts: tuple[Instance, ...]
    start: float
    longest_request: float

    def bind(self, default: str) -> str:
        """Return the address that the server listens on."""
        return self.hosts[0].host if self.hosts else default

    @property
    def balancer_port(self) -> int:
        """The port at which a balancer in front of the instances listens."""
        taken = any(port == BALANCER_PORTS[0] and is_local(host) for host, port in self.instances)
        return BALANCER_PORTS[taken]

    @property
    def instances(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each instance behind a balancer."""
        hosts = self.hosts or (Instance("127.0.0.1"),)
        return tuple((each.host, each.port or self.port) for each in hosts)
