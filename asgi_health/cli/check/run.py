"""Run each check of a Health once."""

from dataclasses import replace

from ...core.health import Health
from ...core.result import Result, unhealthy
from ...core.status import Probe, Status
from ...formats.redact import redact
from ...runtime.current import current_backend
from ...runtime.never_awaited import watched
from ...runtime.runner import runner_of
from .line import Line, Word

WORDS: dict[Status, Word] = {Status.HEALTHY: "pass", Status.DEGRADED: "warn", Status.UNHEALTHY: "fail"}


async def run(health: Health, seconds: float) -> list[Line]:
    """Return what each check says, all run at once, each for `seconds` or its own timeout, whichever is shorter."""
    # In a Health of its own: the app's may be watched, and what is asked here is no news for it. For readiness, because
    # a check for liveness or startup alone is run in the same way and its answer is the same.
    once = Health(
        [
            replace(check, run=watched(check), probes=(Probe.READINESS,), timeout=min(check.timeout, seconds))
            for check in health.checks
        ]
    )
    runner = runner_of(once)
    current_backend()  # so that what it imports is not taken for the time of a check
    try:
        await runner.refresh()
        return [
            _line(each.name, each.critical, each.state.result, each.state.duration) for each in once.report().checks
        ]
    finally:
        await runner.stop()


def _line(name: str, critical: bool, result: Result | None, seconds: float | None) -> Line:
    result = result or unhealthy("its run was given up before it had a result")
    return Line(name, WORDS[result.status], critical, 1000 * (seconds or 0.0), redact(result.message))
