"""A port that somebody listens on."""

import asyncio

from ..core.result import Result, healthy
from .client import AsyncCheck
from .table import described


@described(
    technology="TCP",
    extra="",
    asked="a connection, which is closed at once",
    costs="one connection. Some servers log one that says nothing",
    privileges="none",
)
def tcp_connect(host: str, port: int) -> AsyncCheck:
    """Return a check that connects to `port` of `host`, on asyncio and uvloop.

    It passes when the kernel of the other side accepts: it does so for a process that hangs too. Prefer a check that
    asks something. Raises TypeError and ValueError for what cannot be a host or a port.
    """
    require_host("tcp_connect", host)
    require_port("tcp_connect", port)

    async def connect() -> Result:
        _, writer = await asyncio.open_connection(host, port)
        writer.transport.abort()
        return healthy()

    return connect


def require_host(by: str, host: object) -> None:
    """Raise TypeError or ValueError, unless `host` can be a name or an address."""
    if not isinstance(host, str):
        raise TypeError(f"{by}: host must be a string, not one of {type(host).__qualname__}")
    if not host or "/" in host or " " in host:
        raise ValueError(f"{by}: host must be a name or an address alone, without scheme and path")


def require_port(by: str, port: object) -> None:
    """Raise TypeError or ValueError, unless `port` can be one."""
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"{by}: port must be a whole number, not one of {type(port).__qualname__}")
    if not 0 < port < 65536:
        raise ValueError(f"{by}: port must be from 1 to 65535, not {port}")
