"""The log for operators: a line when a status changes, none per run and none per request."""

import logging
from math import inf
from traceback import format_exception

from ...core.engine import Engine
from ...core.lifecycle import Phase
from ...core.logger import logger
from ...core.status import CHECK_PROBES, Probe, Status
from ...core.transition import Transition
from ...formats.redact.clean import clean, one_line


class ProbeLog:
    """Log when checks and probes of an engine become unhealthy, and when they recover."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lifespan_count = 0
        self._were_healthy: set[Probe] = set()
        self._failing_since: dict[Probe, float] = {}
        self._last_call = -inf
        self._logged_failure = False
        engine.subscribe(log_transition)

    def log_changes(self, now: float) -> None:
        """Log what has changed since the last call. A probe that was never healthy has not failed yet."""
        try:
            self._log_changes(now)
        except Exception:  # the caller has checks to run
            if not self._logged_failure:
                self._logged_failure = True
                logger.exception("the changes of the probes cannot be logged; everything else goes on")

    def _log_changes(self, now: float) -> None:
        if self._lifespan_count != self._engine.lifespan_count:
            self._lifespan_count = self._engine.lifespan_count
            self._were_healthy.clear()
            self._failing_since.clear()
        for probe in CHECK_PROBES:
            status = self._engine.probe_status(probe)
            if status.at(now) is not Status.UNHEALTHY:
                self._were_healthy.add(probe)
                if probe in self._failing_since:
                    seconds = now - self._failing_since.pop(probe)
                    logger.info("%s passes again, after failing for %.1f s", probe.value, seconds)
            elif (
                probe in self._were_healthy and probe not in self._failing_since and self._engine.phase is Phase.SERVING
            ):
                # A result that grew stale while the loop was blocked: no probe was answered since the last call.
                self._failing_since[probe] = now if status.status is Status.UNHEALTHY else self._last_call
                logger.warning("%s fails", probe.value)
        self._last_call = now


def log_transition(transition: Transition) -> None:
    """Log that a check is unhealthy, with the exception, or healthy again, with the time it was not."""
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
    """Log a warning of one line. The traceback follows, indented, so that none of its lines looks like a record."""
    if not logger.isEnabledFor(logging.WARNING):
        return
    file, line, function, _ = logger.logger.findCaller(stacklevel=2)
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = logger.logger.makeRecord(logger.name, logging.WARNING, file, line, text, values, exc_info, function)
    if exc_info is not None:
        # A formatter takes this text, and does not make its own from the exception, which would not be cleaned.
        traced = clean("".join(format_exception(*exc_info))).rstrip("\n")
        record.exc_text = "\n".join(f"  {each}" for each in traced.split("\n"))
    logger.handle(record)
