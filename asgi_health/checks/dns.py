"""A host name that the system resolves."""

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
    costs="a query, unless the resolver has cached the answer",
    privileges="none",
)
def dns_name(host: str, *, minimum: int = 1) -> PlainCheck:
    """Return a check that `host` has enough addresses, such as those of the pods of a headless service.

    It runs in a thread, which no deadline can end. With a silent resolver the check fails at its deadline, and does not
    run again until the thread has ended. glibc gives up after `timeout` x `attempts` of resolv.conf(5) for each of its
    nameservers, which is 5 s x 2 by default.

    Args:
        host: The name.
        minimum: The fewest addresses. IPv4 and IPv6 are counted separately, and the larger number counts: a pod may
            have one of each.

    Raises:
        TypeError: `host` is not a string, or `minimum` is not a whole number.
        ValueError: `host` cannot be a name, or `minimum` is not from 1 to 1000.
    """
    require_host("dns_name", host)
    require_whole("dns_name", "minimum", minimum, lowest=1, highest=1000)

    def check() -> Result:
        found = {
            (family, address[0]) for family, *_, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        }
        count = max(Counter(family for family, _ in found).values())  # getaddrinfo raises where there is no address
        data = {"addresses": count}
        if count < minimum:
            plural = "" if count == 1 else "es"
            return unhealthy(f"found {count} address{plural}, expected at least {minimum}", data=data)
        return healthy(data=data)

    return check
