"""Closes the listening sockets of gRPC servers in forked processes, which answer no call.

A child that outlives its parent would accept connections that no process answers: with SO_REUSEPORT a share of those of
the next process at the same address. gRPC does not say which descriptors it has opened.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

_names: set[object] = set()
"""The addresses at which servers of this process listen, as `getsockname` returns them."""


def close_in_children(name: object) -> None:
    """Close what listens at `name` in each process that this one forks from now on."""
    _names.add(_plain(name))


def ended(name: object) -> None:
    """Nothing listens at `name` any more."""
    _names.discard(_plain(name))


def _plain(name: object) -> object:
    """Return `name` without the forms that differ where the address does not."""
    if isinstance(name, str):
        return name
    host, port, *_ = cast("tuple[str, int]", name)
    host = host.removeprefix("::ffff:")  # gRPC listens at addresses of IPv4 through sockets of IPv6
    return ("::" if host == "0.0.0.0" else host), port


def _close() -> None:
    for descriptor in _descriptors() if _names else ():
        with suppress(OSError):  # no socket, or closed meanwhile
            each = socket.socket(fileno=os.dup(descriptor))
            with each:
                listens = each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                if listens and _plain(each.getsockname()) in _names:
                    os.close(descriptor)
    _names.clear()


def _descriptors() -> Iterator[int]:
    with suppress(OSError):
        yield from [int(name) for name in os.listdir("/dev/fd")]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close)
