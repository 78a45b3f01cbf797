"""A port that is reserved for a test, whether a server listens on it or not."""

import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"


@contextmanager
def reserved_port() -> Iterator[int]:
    """Reserve a port: connections to it are refused until a server of the tests listens on it.

    The kernel gives a bound port to no other process, but lets a second socket bind it when both have SO_REUSEADDR and
    neither listens yet. All servers here set it. So no port is lost in between, and a server that was killed finds its
    own again.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, 0))
        yield holder.getsockname()[1]


def accepts(port: int) -> bool:
    """Return whether a process listens on the port."""
    with socket.socket() as client:
        client.settimeout(1.0)
        return client.connect_ex((HOST, port)) == 0


def established(port: int) -> int:
    """Return how many clients are connected to the server on `port`."""
    return _connections(port, {"01"})


def connected(port: int) -> int:
    """Return how many connections the server on `port` has not closed, those that the client has closed included."""
    return _connections(port, {"01", "08"})


def _connections(port: int, states: Collection[str]) -> int:
    """Count by /proc/net/tcp, see proc(5): the port and the state (01: ESTABLISHED, 08: CLOSE_WAIT) are hexadecimal."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(local.endswith(f":{port:04X}") and state in states for _, local, _, state, *_ in lines)
