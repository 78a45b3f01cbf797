"""What operators read: a line when something changes, nothing per run and nothing per probe."""

import logging
from math import inf
from traceback import format_exception

from ..core.health import Health
from ..core.lifecycle import Phase
from ..core.logger import logger
from ..core.status import Probe, Status
from ..core.transition import Transition
from ..formats.redact.clean import clean, one_line


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
        runs = "run" if transition.failures == 1 else "runs"
        message = one_line(transition.result.message)
        _warn("check %r is unhealthy after %d failed %s: %s", name, transition.failures, runs, message, error=error)
    elif new is Status.DEGRADED:
        _warn("check %r is degraded: %s", name, one_line(transition.result.message))
    elif transition.old is not None:
        failures = f" and {transition.failures} failed runs" if transition.failures else ""
        logger.info("check %r is healthy again after %.1f s%s", name, transition.at - transition.since, failures)


def _warn(text: str, *values: object, error: BaseException | None = None) -> None:
    """Log a warning in one line; below it, indented so that no line of it looks like a record, the traceback."""
    if not logger.isEnabledFor(logging.WARNING):
        return
    file, line, function, _ = logger.logger.findCaller(stacklevel=2)
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = logger.logger.makeRecord(logger.name, logging.WARNING, file, line, text, values, exc_info, function)
    if exc_info is not None:
        # What a formatter finds here it does not make itself, from the text of the exception as it is.
        traced = clean("".join(format_exception(*exc_info))).rstrip("\n")
        record.exc_text = "\n".join(f"  {each}" for each in traced.split("\n"))
    logger.handle(record)
