"""The types of a listener, for the rest of the package. The modules that need h11 are imported only to start one."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..core.stalls import Stall
from ..core.status import Probe
from ..formats.answer import Answer

StallOf = Callable[[Probe], Stall | None]
"""Returns the present stall of the app's event loop as a probe sees it, None while the loop is not blocked."""


class Stream(Protocol):
    """The body of an answer that goes on. Used in one event loop."""

    async def next(self) -> bytes | None:
        """Return the next piece once there is one, None at the end."""
        ...

    def leave(self) -> None:
        """The client has gone: `next` returns None, at once where it waits."""

    def close(self) -> None:
        """The last call: no further piece is wanted."""


@dataclass(frozen=True, slots=True)
class StreamedAnswer:
    """An answer whose body goes on.

    Attributes:
        head: Its status and headers.
        open: Begins the body; None for an answer without one. Its argument is called when the client has not read a
            piece in time: then the connection must be closed.
    """

    head: Answer
    open: Callable[[Callable[[], None]], Stream] | None


Respond = Callable[[MutableMapping[str, Any]], Awaitable[Answer | StreamedAnswer]]
"""Answers a request, given as an ASGI scope."""


@dataclass(slots=True)
class ConnectionCounts:
    """How many connections a listener has closed by itself. Its thread counts, and any thread may read.

    Attributes:
        evicted: Connections closed to make room for others.
        refused: Connections closed at once, because all others were being answered.
    """

    evicted: int = 0
    refused: int = 0

    def plus(self, other: "ConnectionCounts") -> "ConnectionCounts":
        """Return the sums of both."""
        return ConnectionCounts(self.evicted + other.evicted, self.refused + other.refused)


class RunningListener(Protocol):
    """A listener whose address is bound."""

    @property
    def counts(self) -> ConnectionCounts:
        """The connections that it has closed by itself."""
        ...

    def start(self) -> None:
        """Begin to answer."""

    def stop(self) -> None:
        """End it, without waiting."""


class CannotListen(Exception):
    """Raised when a listener cannot start; the text says at which address, and why."""


def require_h11() -> None:
    """Raise ModuleNotFoundError, which says what to install, where h11 is missing."""
    from importlib.util import find_spec

    if find_spec("h11") is None:
        raise ModuleNotFoundError(
            'listener: h11 is not installed; try: pip install "asgi-health[listener]"', name="h11"
        )
