"""What the matrix needs to know about a way to reach a technology."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from ..observe import TIMED_OUT
from ..servers import Target

COLUMNS = (
    "healthy",
    "refused",  # never started
    "killed",  # SIGKILL while pooled
    "frozen",  # SIGSTOP, then SIGCONT
    "blackholed",
    "reset",
    "trickled",
    "wrong_password",
    "wrong_database",
    "exhausted",
    "exhausted_and_frozen",
    "exhausted_and_killed",
    "closed",  # by the application
    "many_runs",  # leak nothing
)

CELERY_GROUPS = {"rabbitmq": "rabbitmq", "redis": "redis of celery"}

__all__ = ["CELERY_GROUPS", "COLUMNS", "TIMED_OUT", "Occupy", "Open", "Row"]

Open = Callable[[Target], AbstractAsyncContextManager[Any]]
Occupy = Callable[[Any], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Row:
    """A client, the check that takes it, and the message of that check in each situation."""

    name: str
    server: str
    """Its key in SERVERS."""
    check: Callable[[Any], Callable[[], object]]
    open: Open
    """Makes a client that connects on demand, with a pool of at most two, and closes it at the end."""
    drivers: tuple[str, ...]
    """Modules without which the check cannot be made."""
    extra: str
    messages: Mapping[str, str]
    """By column: a pattern of the message. Most checks time out on a network that is silent or trickles."""
    close: Callable[[Any], Awaitable[object]] | None = None
    """Closes a client as the application would."""
    occupy: Occupy | None = None
    """Takes all that the client's pool can give."""
    any_loop: bool = False
    """Its driver works on trio too."""
    takes_client: bool = True
    """False: it takes a name instead, and finds the client itself."""
    without: Mapping[str, str] = field(default_factory=dict[str, str])
    """The columns that cannot exist for it, and why."""

    @property
    def group(self) -> str:
        """Tests of a group share a process: those of one server. For speed, those of Celery on Redis have their own."""
        return CELERY_GROUPS.get(self.server, self.server) if self.extra == "celery" else self.server

    def __str__(self) -> str:
        return self.name
