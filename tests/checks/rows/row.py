"""What the matrix has to know of a way to reach a technology."""

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
    """A client, the check that takes it, and what that check says in each situation."""

    name: str
    server: str
    """Its key in SERVERS."""
    check: Callable[[Any], Callable[[], object]]
    open: Open
    """Makes a client that connects when it must, with a pool of at most two; at the end nothing of it is left."""
    drivers: tuple[str, ...]
    """Modules without which the check cannot be made."""
    extra: str
    messages: Mapping[str, str]
    """By column: a pattern of the message. What is silent, and what trickles, is a timeout as a rule."""
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
        """What its tests share a process with: those of its server. Celery's take too long for one Redis."""
        return CELERY_GROUPS.get(self.server, self.server) if self.extra == "celery" else self.server

    def __str__(self) -> str:
        return self.name
