"""What httpx does not expose: the usage of a client's pool, and why a connection failed.

A module of its own because two checks need it: that of a URL, and that of Elasticsearch with httpx nodes.
"""

from typing import TYPE_CHECKING, Any

from ...core.result import describe
from .pool import Usage

if TYPE_CHECKING:
    import httpx


def pool_of(client: "httpx.AsyncClient", url: "httpx.URL") -> "tuple[Any, Usage] | None":
    """Return the transport that `client` uses for `url`, and the usage of its pool.

    None where the transport has no pool, or a release of httpx has other private attributes.
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
    """Return the description of the first cause of `error`.

    httpx's own message is 'All connection attempts failed' or empty. The text of a LocalProtocolError is replaced: it
    shows the header, which may hold a password.
    """
    while True:
        if type(error).__name__ == "LocalProtocolError":
            return "the request cannot be sent: a header, or the URL, is not valid"
        cause = error.__cause__ or error.__context__
        if cause is None:
            return describe(error)
        error = cause
