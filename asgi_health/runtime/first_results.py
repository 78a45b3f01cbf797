"""The one wait of a prober where checks run in the background: for the first results, right after the start."""

from ..core.health import Health
from ..core.lifecycle import Phase
from ..core.logger import logger
from ..core.status import Probe
from .backend import Signal
from .current import current_backend

YOUNG = 0.5
"""Seconds after the app's own startup in which the first probe waits. Adapters of serverless platforms run a lifespan
around each event and ask at once: there would never be a result. Elsewhere a prober comes later, or comes again."""

LATE = 0.1
"""Seconds beyond the deadline of a check until its failure is recorded, at most."""


class FirstResults:
    """Let one prober of each lifespan wait until what it asks about has had its first results, or is too late.

    Only the first: all others get the answer of the moment.
    """

    def __init__(self, health: Health) -> None:
        self._health = health
        self._waited_in = 0
        self._said = False
        self._signal: Signal | None = None
        health.watch(self.came)  # a drain, or the end

    @property
    def open(self) -> bool:
        """Whether no probe has waited in the present life."""
        return self._waited_in != self._health.lives and self._health.phase is Phase.SERVING

    def came(self) -> None:
        """A run has ended, or something else has changed."""
        signal = self._signal
        if signal is not None:
            signal.set()

    async def wait(self, probe: Probe | None) -> None:
        """Return when `probe` has what it takes for an answer; at once when another has waited, or the app is old."""
        health = self._health
        began = health.phase_since
        if not self.open or began is None:
            return
        now = health.clock()
        young = now < began + YOUNG
        if young and not health.undecided(probe):
            return
        self._waited_in = health.lives
        health.changed()  # the answers of all others are prepared from here on
        if not young:
            return
        if not self._said:
            self._said = True
            logger.info("a probe that comes right after the start waits for the first results of the checks")
        signal = self._signal = current_backend().signal()
        life = health.lives
        end = now + LATE + max((check.timeout for check in health.checks), default=0.0)
        try:
            while health.lives == life and health.phase is Phase.SERVING and health.undecided(probe):
                now = health.clock()
                if now >= end:
                    return
                await signal.wait(max(0.001, min(health.next_deadline(), end) - now))
        finally:
            if self._signal is signal:
                self._signal = None
