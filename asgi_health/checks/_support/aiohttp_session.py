"""How many connections of an aiohttp session are in use, which aiohttp has no public name for."""

from typing import Any

from .pool import Usage


def usage_of_session(session: Any) -> Usage | None:
    """Return how many connections are in use, and how many there may be for one host.

    Return None without a session, without a limit, and in a release of aiohttp with other private names.
    """
    if session is None:
        return None
    connector = session.connector
    limit = connector.limit_per_host or connector.limit
    try:
        in_use = len(connector._acquired)
    except AttributeError:
        return None
    return Usage(in_use, limit) if limit else None
