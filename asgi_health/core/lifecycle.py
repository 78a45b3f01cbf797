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


class Life:
    """Where an app stands in its life, and which life it is."""

    __slots__ = (
        "_drained_at",
        "_draining",
        "_entered_at",
        "_held",
        "_phase",
        "count",
        "going_on",
        "of",
        "passed",
        "started",
    )

    def __init__(self) -> None:
        self._phase = Phase.STARTING
        self._entered_at: float | None = None
        self._draining = False
        self._held = False
        self._drained_at: float | None = None
        self.of: object = None
        """What tells the present life from any other, or the last one when it is over."""
        self.going_on = False
        """Whether it has begun and is not over."""
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
        return Phase.DRAINING if (self._draining or self._held) and phase < Phase.DRAINING else phase

    @property
    def since(self) -> float | None:
        """When the present phase began, None while nobody has told of a life."""
        return self._drained_at if self.phase is Phase.DRAINING else self._entered_at

    def is_of(self, of: object) -> bool:
        """Tell whether the life `of` this very thing is being lived."""
        return self.going_on and self.of is of

    def begin(self, of: object, now: float) -> bool:
        """Begin anew, True; False when the life `of` this very thing is being lived."""
        if self.is_of(of):
            return False
        self.of = of
        self.going_on = True
        self.count += 1
        self.started = self.passed = False
        if self._phase is Phase.STOPPED:
            self._draining = False
        self._phase = Phase.STARTING
        self._entered_at = now
        return True

    def enter(self, phase: Phase, now: float) -> None:
        """Go forward to `phase`; there is no way back."""
        if phase > self._phase:
            self._entered_at = now
            self._phase = phase

    def drain(self, now: float) -> None:
        """Ask not to be sent anything new, until the next life."""
        if not (self._draining or self._held):
            self._drained_at = now
        self._draining = True

    def hold(self, held: bool, now: float) -> None:
        """Ask not to be sent anything new, until told otherwise."""
        if held and not (self._draining or self._held):
            self._drained_at = now
        self._held = held

    def end(self, of: object) -> bool:
        """End the life `of` this thing, True; False when it is not the one that is being lived."""
        if not self.is_of(of):
            return False
        self.going_on = False
        return True
