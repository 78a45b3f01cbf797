"""Run each check of a Health once."""

from dataclasses import replace

from ...core.result import Result, unhealthy
from ...core.status import Probe, Status
from ...formats.redact import redact
from ...health import Health, engine_of
from ...runtime.backends.detection import current_backend
from ...runtime.scheduler.never_awaited import fail_when_never_awaited
from ...runtime.scheduler.runner import runner_of
from .line import Line, Word

WORDS: dict[Status, Word] = {Status.HEALTHY: "pass", Status.DEGRADED: "warn", Status.UNHEALTHY: "fail"}


async def run(health: Health, seconds: float) -> list[Line]:
    """Return what each check says, all run at once, each for `seconds` or its own timeout, whichever is shorter."""
    # In a Health of its own, because the app's may have subscribers. For readiness, because a check for liveness or
    # startup alone is run in the same way and has the same result.
    once = Health(
        [
            replace(
                check,
                run=fail_when_never_awaited(check),
                probes=(Probe.READINESS,),
                timeout=min(check.timeout, seconds),
            )
            for check in health.checks
        ]
    )
    runner = runner_of(engine_of(once))
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
