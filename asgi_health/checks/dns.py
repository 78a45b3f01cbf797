"""A name that the system resolves."""

import socket
from collections import Counter

from ..core.result import Result, healthy, unhealthy
from ._support.arguments import require_host, require_whole
from ._support.catalogue import catalogued
from ._support.client import PlainCheck


@catalogued(
    technology="DNS",
    extra="",
    asked="the addresses of a name, of the resolver of the system (`getaddrinfo`)",
    costs="a query, unless the resolver remembers",
    privileges="none",
)
def dns_name(host: str, *, minimum: int = 1) -> PlainCheck:
    """Return a check that `host` has at least `minimum` addresses, such as those of the pods of a headless service.

    Addresses of IPv4 and of IPv6 are counted apart, and the larger number is taken: a pod may have one of each.

    It runs in a thread, which no deadline can end. A resolver that is silent makes the check fail at its deadline, and
    holds that thread, which is the only one: there is no other run before it has ended. glibc gives up after `timeout`
    x `attempts` of resolv.conf(5) for each of its nameservers: 5 s x 2 unless it is told otherwise, and until then
    nothing new is known. Raises TypeError and ValueError for what cannot be a name or a number.
    """
    require_host("dns_name", host)
    require_whole("dns_name", "minimum", minimum, lowest=1, highest=1000)

    def resolve() -> Result:
        found = {(family, place[0]) for family, *_, place in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
        count = max(Counter(family for family, _ in found).values())  # a name without an address is an error
        data = {"addresses": count}
        if count < minimum:
            plural = "" if count == 1 else "es"
            return unhealthy(f"found {count} address{plural}, expected at least {minimum}", data=data)
        return healthy(data=data)

    return resolve
