"""The phases of an app. They follow each other in one order, except DRAINING, which overlays those before STOPPED."""

from enum import IntEnum


class Phase(IntEnum):
    """The phase of the process between its start and its end.

    Attributes:
        STARTING: The app's own startup is not complete.
        SERVING: The app takes requests.
        DRAINING: The app still starts or serves, and its readiness is unhealthy, so that it gets no new traffic.
        STOPPED: The checks end or have ended; the app's own shutdown follows or is over.
    """

    STARTING = 1
    SERVING = 2
    DRAINING = 3
    STOPPED = 4


class Lifecycle:
    """The present phase of an app, and the lifespan that it belongs to."""

    __slots__ = (
        "_drain_began_at",
        "_draining",
        "_phase",
        "_phase_began_at",
        "_temporarily_draining",
        "app_started",
        "drain_ordered_at",
        "in_lifespan",
        "lifespan",
        "lifespan_count",
        "startup_passed",
    )

    def __init__(self) -> None:
        self._phase = Phase.STARTING
        self._phase_began_at: float | None = None
        self._draining = False
        self._temporarily_draining = False
        self._drain_began_at: float | None = None
        self.drain_ordered_at: float | None = None
        """When the drain was ordered (monotonic seconds), where all workers of the host drain; None otherwise."""
        self.lifespan: object = None
        """The identity of the present lifespan, or of the last one when it is over."""
        self.in_lifespan = False
        """Whether a lifespan has begun and is not over."""
        self.lifespan_count = 0
        """Number of lifespans started. 0: the server sends no lifespan, so the first request counts as startup."""
        self.app_started = False
        """Whether the app's own startup is complete."""
        self.startup_passed = False
        """Whether the startup probe has passed; stays true for the rest of the lifespan."""

    @property
    def phase(self) -> Phase:
        """The present phase.

        Draining is stored apart from the other phases: a signal handler may start the drain while other code enters a
        phase, and that code must not overwrite it.
        """
        draining = self._draining or self._temporarily_draining
        return Phase.DRAINING if draining and self._phase < Phase.DRAINING else self._phase

    @property
    def since(self) -> float | None:
        """When the present phase began (monotonic seconds), None before the app starts."""
        return self._drain_began_at if self.phase is Phase.DRAINING else self._phase_began_at

    def is_current(self, lifespan: object) -> bool:
        """Return whether `lifespan` is the present one and is not over."""
        return self.in_lifespan and self.lifespan is lifespan

    def start(self, lifespan: object, now: float) -> bool:
        """Begin with `lifespan` and return True; return False when it has begun before and is not over."""
        if self.is_current(lifespan):
            return False
        self.lifespan = lifespan
        self.in_lifespan = True
        self.lifespan_count += 1
        self.app_started = self.startup_passed = False
        if self._phase is Phase.STOPPED:
            self._draining = False
            self.drain_ordered_at = None
        self._phase = Phase.STARTING
        self._phase_began_at = now
        return True

    def enter(self, phase: Phase, now: float) -> None:
        """Go forward to `phase`. No effect when that phase, or a later one, has been entered."""
        if phase > self._phase:
            self._phase_began_at = now
            self._phase = phase

    def drain(self, now: float, *, ordered_at: float | None) -> None:
        """Drain until a lifespan that follows a shutdown; with `ordered_at` by an order for all workers of the host."""
        if ordered_at is not None and self.drain_ordered_at is None:
            self.drain_ordered_at = ordered_at
        if not (self._draining or self._temporarily_draining):
            self._drain_began_at = now
        self._draining = True

    def set_temporary_drain(self, active: bool, now: float) -> None:
        """Drain while `active` is the last value set."""
        if active and not (self._draining or self._temporarily_draining):
            self._drain_began_at = now
        self._temporarily_draining = active

    def finish(self, lifespan: object) -> bool:
        """End `lifespan` and return True; return False when it is not the present one."""
        if not self.is_current(lifespan):
            return False
        self.in_lifespan = False
        return True
