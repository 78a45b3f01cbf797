"""Run each check of a Health once."""

from dataclasses import replace

from asgi_health import Health, Probe, Result, Status, unhealthy

from ...formats.redact import redact
from ...health import engine_of
from ...runtime.backends.detection import current_backend
from ...runtime.scheduler.never_awaited import fail_when_never_awaited
from ...runtime.scheduler.runner import runner_of
from .table import Row, StatusWord

STATUS_WORDS: dict[Status, StatusWord] = {
    Status.HEALTHY: "pass",
    Status.DEGRADED: "warn",
    Status.UNHEALTHY: "fail",
}


async def run_checks(health: Health, seconds: float) -> list[Row]:
    """Return the result of each check of `health`.

    All checks run at the same time, each for at most its own timeout or `seconds`, whichever is shorter.
    """
    # In a Health of its own: subscribers of the app's Health must not see these results. As readiness checks, because
    # a report for readiness includes them all, and a check runs the same way for each probe.
    copy = Health(
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
    runner = runner_of(engine_of(copy))
    current_backend()  # imports the backend now, so that the import does not count as time of a check
    try:
        await runner.run_due()
        return [
            _row(report.name, report.critical, report.state.result, report.state.duration)
            for report in copy.report().checks
        ]
    finally:
        await runner.stop()


def _row(name: str, critical: bool, result: Result | None, seconds: float | None) -> Row:
    result = result or unhealthy("the run was stopped before it had a result")
    return Row(name, STATUS_WORDS[result.status], critical, 1000 * (seconds or 0.0), redact(result.message))
