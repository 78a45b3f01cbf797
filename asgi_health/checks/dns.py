"""A name that the system resolves."""

import socket

from ..core.result import Result, healthy, unhealthy
from .client import PlainCheck
from .table import described
from .tcp import require_host


@described(
    technology="DNS",
    extra="",
    asked="the addresses of a name, of the resolver of the system (`getaddrinfo`)",
    costs="a query, unless the resolver remembers",
    privileges="none",
)
def dns_name(host: str, *, minimum: int = 1) -> PlainCheck:
    """Return a check that `host` has at least `minimum` addresses, such as those of the pods of a headless service.

    It runs in a thread, which no deadline can end: the resolver gives up by the `timeout` and `attempts` of its own
    configuration, in resolv.conf(5). Raises TypeError and ValueError for what cannot be a name or a number.
    """
    require_host("dns_name", host)
    if not isinstance(minimum, int) or isinstance(minimum, bool):
        raise TypeError(f"dns_name: minimum must be a whole number, not one of {type(minimum).__qualname__}")
    if minimum < 1:
        raise ValueError(f"dns_name: minimum must be at least 1, not {minimum}")

    def resolve() -> Result:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
        data = {"addresses": len(found)}
        if len(found) < minimum:
            return unhealthy(f"{len(found)} addresses, expected at least {minimum}", data=data)
        return healthy(data=data)

    return resolve
