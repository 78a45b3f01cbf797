"""The log for operators: a record when a status changes, none per run and none per request."""

from collections import deque
from logging import WARNING
from typing import Any

from ...core.engine import Engine
from ...core.logger import logger
from ...core.status import Probe, Status
from ...core.transition import CheckTransition, ProbeTransition, Transition
from ...formats.redact.clean import one_line
from ..log_failure import log_failure

MAX_WAITING = 10_000
"""Transitions that wait to be logged; beyond that the oldest are not. They wait for microseconds, as a rule."""


class ProbeLog:
    """Log when checks and probes of an engine become unhealthy, and when they recover.

    Records are written where `log_changes` is called, right after the change, and not in a thread of a subscriber: so
    they stand between the records of the app in the order in which things happened.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transitions: deque[Transition] = deque(maxlen=MAX_WAITING)
        self._failing_since: dict[Probe, float] = {}
        self._logged_failure = False
        engine.on_transition(self._transitions.append)

    def log_changes(self) -> None:
        """Log what has changed since the last call."""
        while self._transitions:
            try:
                transition = self._transitions.popleft()
                if isinstance(transition, CheckTransition):
                    log_check(transition)
                else:
                    self._log_probe(transition)
            except IndexError:  # another thread was faster
                return
            except Exception:  # the caller has checks to run
                if not self._logged_failure:
                    self._logged_failure = True
                    logger.exception("a change cannot be logged; everything else goes on")

    def _log_probe(self, transition: ProbeTransition) -> None:
        """Log that a probe fails or passes again. One that was never healthy has not failed yet.

        A drain and the end of the app are no failures; they have records of their own.
        """
        probe, cause, at = transition.probe, transition.cause, transition.at
        if cause == "starting" and transition.new is Status.UNHEALTHY:
            self._failing_since.pop(probe, None)
        elif probe is Probe.HEALTH:
            return
        elif transition.new is not Status.UNHEALTHY:
            if probe in self._failing_since:
                seconds = at - self._failing_since.pop(probe)
                extra = {**_fields(transition), "duration": round(seconds, 3)}
                logger.info("%s passes again, after failing for %.1f s", probe.value, seconds, extra=extra)
        elif cause == "worker" and transition.old is not Status.UNHEALTHY:
            self._failing_since[probe] = at
            behind, pids = self._workers_behind(probe)
            logger.warning("%s fails: %s", probe.value, behind, extra={**_fields(transition), "workers": pids})
        elif cause in ("check", "stale", "stalled") and transition.old is not Status.UNHEALTHY:
            self._failing_since[probe] = at
            logger.warning("%s fails%s", probe.value, _REASONS[cause], extra=_fields(transition))

    def _workers_behind(self, probe: Probe) -> tuple[str, list[int]]:
        """Return which workers make `probe` fail at this moment and why, and the numbers of their processes."""
        from ...formats.workers import workers_behind  # not at the top: only a board needs it

        host = self._engine.host
        if host is None or not (behind := workers_behind(host, probe, Status.UNHEALTHY)):
            return "another worker of the host", []  # it has recovered meanwhile
        return behind, [worker.pid for worker, _ in host.behind(probe, Status.UNHEALTHY)]


_REASONS = {"check": "", "stale": "", "stalled": ": the event loop is blocked"}


def log_check(transition: CheckTransition) -> None:
    """Log that a check is unhealthy, with the exception, or healthy again, with the time it was not."""
    name, new, result = transition.name, transition.new, transition.result
    if new is None or result is None:  # removed, or a new lifespan has begun
        return
    error = transition.error
    extra = _fields(transition)
    if new is Status.UNHEALTHY:
        runs = "run" if transition.failures == 1 else "runs"
        message = one_line(result.message)
        text = "check %r is unhealthy after %d failed %s: %s"
        log_failure(WARNING, text, name, transition.failures, runs, message, error=error, extra=extra)
    elif new is Status.DEGRADED:
        log_failure(WARNING, "check %r is degraded: %s", name, one_line(result.message), error=None, extra=extra)
    elif transition.old is not None:
        failures = f" and {transition.failures} failed runs" if transition.failures else ""
        seconds = transition.at - transition.since
        logger.info("check %r is healthy again after %.1f s%s", name, seconds, failures, extra=extra)


def _fields(transition: Transition) -> dict[str, Any]:
    """Return the fields that a record of `transition` has in addition, as docs/reference/log-records.md lists them."""
    fields = {
        "old": _word(transition.old),
        "new": _word(transition.new),
        "duration": None if transition.old is None else round(transition.at - transition.since, 3),
    }
    if isinstance(transition, CheckTransition):
        return {"check": transition.name, **fields}
    return {"probe": transition.probe.value, "cause": transition.cause, "checks": list(transition.checks), **fields}


def _word(status: Status | None) -> str | None:
    return None if status is None else status.name.lower()
