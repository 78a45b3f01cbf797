"""A TCP port on which a process listens."""

from collections.abc import Awaitable
from typing import TypeVar

from ..core.result import Result, healthy
from ._support.arguments import require_host, require_port
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck

T = TypeVar("T")


@catalogued(
    technology="TCP",
    extra="",
    asked="a connection, which is closed at once",
    costs="one connection. Some servers log a connection that sends nothing",
    privileges="none",
)
def tcp_connect(host: str, port: int) -> AsyncCheck:
    """Return a check that connects to `port` of `host`.

    It passes when the kernel of the other side accepts the connection, and the kernel does so for a process that hangs
    too. Prefer a check that sends a request.

    Args:
        host: The host name or IP address.
        port: The number of the port.

    Raises:
        TypeError: `host` is not a string, or `port` is not a whole number.
        ValueError: `host` cannot be a name or an address, or `port` is not from 1 to 65535.
    """
    import anyio  # here, so that importing this module costs nothing

    require_host("tcp_connect", host)
    require_port("tcp_connect", port)

    async def check() -> Result:
        # Forcefully: without waiting for the other side, which may not read any more.
        await anyio.aclose_forcefully(await connected(anyio.connect_tcp(host, port)))
        return healthy()

    return check


async def connected(connecting: Awaitable[T]) -> T:
    """Return the connection that anyio opens, or raise the cause of anyio's error, which is the reason."""
    import anyio

    try:
        return await connecting
    except (OSError, anyio.BrokenResourceError) as error:
        raise error.__cause__ or error from None
