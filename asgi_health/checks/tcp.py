"""A port that somebody listens on."""

from typing import TYPE_CHECKING, Any

from ..core.result import Result, healthy
from .address import require_host, require_whole
from .client import AsyncCheck
from .table import described

if TYPE_CHECKING:
    from anyio.abc import ByteStream


@described(
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
    require_host("tcp_connect", host)
    require_whole("tcp_connect", "port", port, lowest=1, highest=65535)

    async def connect() -> Result:
        await hang_up(await call(host, port))
        return healthy()

    return connect


async def call(host: str, port: int, **tls: Any) -> "ByteStream":
    """Return a connection, with `tls` as anyio's connect_tcp() takes it. Raises what the loop or OpenSSL said."""
    import anyio

    try:
        return await anyio.connect_tcp(host, port, **tls)
    except (OSError, anyio.BrokenResourceError) as error:
        raise error.__cause__ or error from None


async def hang_up(connection: "ByteStream") -> None:
    """Close the connection without a word to the other side, which need not be listening any more."""
    import anyio

    await anyio.aclose_forcefully(connection)
