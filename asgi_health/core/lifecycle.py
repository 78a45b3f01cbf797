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


_NOBODYS = object()


class Life:
    """Where an app stands in its life, and which life it is."""

    __slots__ = ("_draining", "_of", "_phase", "count", "passed", "started")

    def __init__(self) -> None:
        self._phase = Phase.STARTING
        self._draining = False
        self._of: object = _NOBODYS
        self.count = 0
        """Lives that have begun. None: nobody tells of them, and a request is the proof that the app serves."""
        self.started = False
        """Whether the app's own startup is complete."""
        self.passed = False
        """Whether the startup probe has passed: latched for the rest of the life."""

    @property
    def phase(self) -> Phase:
        """The phase. A drain is a word of its own and not a phase that is entered: a signal handler may come in the
        middle of entering another one, and what it said must not be overwritten."""
        phase = self._phase
        return Phase.DRAINING if self._draining and phase < Phase.DRAINING else phase

    def begin(self, of: object) -> bool:
        """Begin anew, True; False when the life `of` this very thing, an event loop, is being lived."""
        if self._of is of:
            return False
        self._of = of
        self.count += 1
        self.started = self.passed = False
        if self._phase is Phase.STOPPED:
            self._draining = False
        self._phase = Phase.STARTING
        return True

    def enter(self, phase: Phase) -> None:
        """Go forward to `phase`; there is no way back."""
        self._phase = max(self._phase, phase)

    def drain(self) -> None:
        """Ask not to be sent anything new, until the next life."""
        self._draining = True

    def end(self, of: object) -> bool:
        """End the life `of` this thing, True; False when it is not the one that is being lived."""
        if self._of is not of:
            return False
        self._of = _NOBODYS
        return True
