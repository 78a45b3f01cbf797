"""The only wait of a probe where checks run in the background: for the first results, right after the start."""

from ...core.engine import Engine
from ...core.lifecycle import Phase
from ...core.logger import logger
from ...core.status import Probe
from ..backends.detection import current_backend
from ..backends.interface import Flag

WAIT_WITHIN = 0.5
"""Only a probe that comes within this many seconds after the app's own startup waits. Adapters of serverless platforms
run a lifespan around each event and probe at once: they would never see a result. Elsewhere a prober comes again."""

DEADLINE_MARGIN = 0.1
"""Seconds after the deadline of a check until its failure is recorded, at most."""


class FirstResults:
    """Let the first probe of each lifespan wait until the checks it asks about have had their first results.

    All others get the answer of the moment.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waited_in = 0
        self._logged = False
        self._flag: Flag | None = None

    @property
    def may_wait(self) -> bool:
        """Whether no probe has waited in the present lifespan yet."""
        return self._waited_in != self._engine.lifespan_count and self._engine.phase is Phase.SERVING

    def on_change(self) -> None:
        """A run has ended, or the phase has changed."""
        flag = self._flag
        if flag is not None:
            flag.set()

    async def wait(self, probe: Probe) -> None:
        """Return when `probe` has its first results; at once when a probe has waited before, or the start is over."""
        engine = self._engine
        began = engine.phase_since
        if not self.may_wait or began is None:
            return
        now = engine.clock()
        just_started = now < began + WAIT_WITHIN
        if just_started and not engine.awaits_first_results(probe):
            return
        self._waited_in = engine.lifespan_count
        engine.notify()  # the answers to all others are prepared from now on
        if not just_started:
            return
        if not self._logged:
            self._logged = True
            logger.info("a probe that comes right after the start waits for the first results of the checks")
        flag = self._flag = current_backend().flag()
        lifespan = engine.lifespan_count
        end = now + DEADLINE_MARGIN + max((check.timeout for check in engine.checks), default=0.0)
        try:
            while (
                engine.lifespan_count == lifespan
                and engine.phase is Phase.SERVING
                and engine.awaits_first_results(probe)
            ):
                now = engine.clock()
                if now >= end:
                    return
                await flag.wait(max(0.001, min(engine.next_deadline(), end) - now))
        finally:
            if self._flag is flag:
                self._flag = None
