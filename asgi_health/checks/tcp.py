"""A port that somebody listens on."""

import asyncio

from ..core.result import Result, healthy
from .address import require_host, require_whole
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
    require_whole("tcp_connect", "port", port, lowest=1, highest=65535)

    async def connect() -> Result:
        _, writer = await asyncio.open_connection(host, port)
        writer.transport.abort()
        return healthy()

    return connect
