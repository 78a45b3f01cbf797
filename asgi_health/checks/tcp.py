"""A port that somebody listens on."""

from collections.abc import Awaitable
from typing import TypeVar

from ..core.result import Result, healthy
from ._support.arguments import require_host, require_whole
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck

T = TypeVar("T")


@catalogued(
    technology="TCP",
    extra="",
    asked="a connection, which is closed at once",
    costs="one connection. Some servers log one that says nothing",
    privileges="none",
)
def tcp_connect(host: str, port: int) -> AsyncCheck:
    """Return a check that connects to `port` of `host`.

    It passes when the kernel of the other side accepts: it does so for a process that hangs too. Prefer a check that
    asks something. Raises TypeError and ValueError for what cannot be a host or a port.
    """
    import anyio  # what brings it is in use already; importing this room costs nothing

    require_host("tcp_connect", host)
    require_whole("tcp_connect", "port", port, lowest=1, highest=65535)

    async def connect() -> Result:
        # Forcefully: without a word to the other side, which need not be listening any more.
        await anyio.aclose_forcefully(await connected(anyio.connect_tcp(host, port)))
        return healthy()

    return connect


async def connected(connecting: Awaitable[T]) -> T:
    """Return the connection that anyio makes, or raise the reason that it hides behind words of its own."""
    import anyio

    try:
        return await connecting
    except (OSError, anyio.BrokenResourceError) as error:
        raise error.__cause__ or error from None
