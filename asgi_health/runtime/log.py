"""What operators read: a line when something changes, nothing per run and nothing per probe."""

from math import inf

from ..core.health import Health
from ..core.lifecycle import Phase
from ..core.logger import logger
from ..core.status import Probe, Status
from ..core.transition import Transition


class Log:
    """Tell of the checks and probes of one Health when they turn bad and when they are well again."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._lives = 0
        self._seen_well: set[Probe] = set()
        self._bad_since: dict[Probe, float] = {}
        self._looked = -inf
        self._failed = False
        health.subscribe(log_transition)

    def look(self, now: float) -> None:
        """Log what became of the probes since the last look; failing is no news before it was well once."""
        try:
            self._look(now)
        except Exception:  # who looks has checks to run
            if not self._failed:
                self._failed = True
                logger.exception("the log cannot tell how the probes stand; everything else goes on")

    def _look(self, now: float) -> None:
        if self._lives != self._health.lives:
            self._lives = self._health.lives
            self._seen_well.clear()
            self._bad_since.clear()
        for probe in Probe:
            outlook = self._health.outlook(probe)
            if outlook.at(now) is not Status.UNHEALTHY:
                self._seen_well.add(probe)
                if probe in self._bad_since:
                    seconds = now - self._bad_since.pop(probe)
                    logger.info("%s is well again, it failed for %.1f s", probe.value, seconds)
            elif probe in self._seen_well and probe not in self._bad_since and self._health.phase is Phase.SERVING:
                # Grown old while nobody could look: the loop was blocked, and has answered nobody since then.
                self._bad_since[probe] = now if outlook.status is Status.UNHEALTHY else self._looked
                logger.warning("%s fails", probe.value)
        self._looked = now


def log_transition(transition: Transition) -> None:
    """Log that a check turned bad, with the exception, or that it is well again, with how long it was bad."""
    name, new = transition.name, transition.new
    error = transition.error
    if new is Status.UNHEALTHY:
        logger.warning(
            "check %r is unhealthy after %d failed run%s: %s",
            name,
            transition.failures,
            "" if transition.failures == 1 else "s",
            transition.result.message,
            exc_info=None if error is None else (type(error), error, error.__traceback__),
        )
    elif new is Status.DEGRADED:
        logger.warning("check %r is degraded: %s", name, transition.result.message)
    elif transition.old is not None:
        failures = f" and {transition.failures} failed runs" if transition.failures else ""
        logger.info("check %r is healthy again after %.1f s%s", name, transition.at - transition.since, failures)
