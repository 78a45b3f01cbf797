"""The phases of an app's life. They come in this order alone; a second life in the same process begins anew."""

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
