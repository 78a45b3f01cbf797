"""What every contender is given, so that all of them are asked for the same."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
CheckFunction = Callable[[], Awaitable[bool]]

OTHER = "/items"
"""A page of the app itself, the same few bytes everywhere."""
WORK = "/work"
"""A page that computes for about a millisecond, to keep an app busy with requests of its own."""


@dataclass(frozen=True)
class Setup:
    """The checks a contender looks after, and how."""

    checks: tuple[tuple[str, CheckFunction], ...] = ()
    interval: float = 10.0
    """Seconds between two runs of a check, or for which a cached result holds: whichever the contender offers."""
    timeout: float = 2.0
    """Seconds that a check may take, where the contender can be told."""
    slow_loop: float = 1.0
    """Seconds of lateness of the loop that are logged; 0: asgi-health has neither heartbeat nor watchdog."""
    details: bool = False
    """Whether the contender is going to be asked for its verbose answer."""
    bare: bool = False
    """Whether the limit is to be the limit: two constant messages, without lifespan or a page that computes."""


def work() -> bytes:
    """Keep the processor busy as a small request does."""
    return b"%d" % sum(number * number for number in range(20_000))
