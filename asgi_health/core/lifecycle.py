"""The phases of a process, in the only order they can come."""

from enum import IntEnum


class Phase(IntEnum):
    """Where the process stands between its first and its last moment."""

    STARTING = 1
    """The app's own startup is not complete."""
    SERVING = 2
    """The app takes requests."""
    DRAINING = 3
    """The app still serves, and asks not to be sent anything new."""
    STOPPED = 4
    """The checks have ended; the app's own shutdown has begun or is over."""


def may_follow(old: Phase, new: Phase) -> bool:
    """Tell whether `new` may come after `old`: forward only, and from the end back to the beginning.

    The way back is for an app whose lifespan runs twice in one process, as test clients do.
    """
    return new > old or (old is Phase.STOPPED and new is Phase.STARTING)
