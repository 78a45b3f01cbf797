"""The configuration that every contender gets, so that all of them do the same."""

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
"""A page of the app itself, the same few bytes in every app."""
METRICS = "/metrics"
WORK = "/work"
"""A page that computes for about a millisecond, to keep an app busy with requests of its own."""


@dataclass(frozen=True)
class Setup:
    """The checks of a contender, and their options."""

    checks: tuple[tuple[str, CheckFunction], ...] = ()
    interval: float = 10.0
    """Seconds between two runs of a check, or for which a cached result is valid, as the contender offers it."""
    timeout: float = 2.0
    """Seconds that a check may take, where the contender has such an option."""
    slow_loop: float = 1.0
    """The option of asgi-health, in seconds; 0 turns the loop's heartbeat and the watchdog off."""
    metrics: bool = False
    """Whether asgi-health shows its metrics at `METRICS`."""
    details: bool = False
    """Whether the contender shows its verbose answer."""
    bare: bool = False
    """Whether the limit sends two constant messages and does nothing else: no lifespan, no page that computes."""


def work() -> bytes:
    """Compute for about a millisecond."""
    return b"%d" % sum(number * number for number in range(20_000))
