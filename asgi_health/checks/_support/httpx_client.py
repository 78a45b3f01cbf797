"""What httpx does not tell of itself: how full the pool of a client is, and why no connection was made."""

from typing import TYPE_CHECKING, Any

from ...core.result import describe
from .pool import Usage

if TYPE_CHECKING:
    import httpx


def pool_of(client: "httpx.AsyncClient", url: "httpx.URL") -> "tuple[Any, Usage] | None":
    """Return the transport that a client uses for `url`, and how full its pool is.

    None where that is no pool, or does not look as expected.
    """
    try:
        find: Any = client._transport_for_url  # pyright: ignore[reportPrivateUsage]
        transport = find(url)
        pool = transport._pool
        in_use = sum(not (each.is_available() or each.is_closed()) for each in pool.connections)
        return transport, Usage(in_use, pool._max_connections)
    except AttributeError:
        return None


def reason(error: BaseException) -> str:
    """Return what it began with: httpx says no more than that all connection attempts failed, or nothing at all."""
    while True:
        if type(error).__name__ == "LocalProtocolError":  # its text shows the header, which may be a password
            return "the request cannot be sent: a header, or the URL, is not valid"
        cause = error.__cause__ or error.__context__
        if cause is None:
            return describe(error)
        error = cause
