"""Assert whether an app is ready, with a message that says why not."""

from collections.abc import Iterable

from ..core.report import CheckReport
from ..core.status import Probe, Status
from ..core.validate import require_type
from ..formats.redact import redact
from ..health import Health, engine_of


def health_of(app: object) -> Health:
    """Return the Health of `app`: that of the HealthMiddleware around it or inside of it, or `app` if it is a Health.

    Args:
        app: The ASGI app.

    Raises:
        ValueError: for an app with no HealthMiddleware, or with several that have different Health objects.
    """
    if isinstance(app, Health):
        return app
    from ..cli.check.find_health import find_healths

    name = type(app).__name__
    found = find_healths(app, name)
    if len(found) != 1:
        raise ValueError(
            f"health_of: {name} has {len(found) or 'no'} HealthMiddleware{'s' if found else ''} around it or inside of"
            " it, expected one; pass the app as the server gets it"
        )
    return found[0]


def assert_ready(health: Health) -> None:
    """Raise AssertionError, which says why, unless the app of `health` is ready.

    It looks at the present state and does not wait: see `settled` for the first results.

    Args:
        health: The Health.

    Raises:
        AssertionError: when the app is not ready.
        TypeError: for an argument that is not a Health.
    """
    require_type("assert_ready: health", health, Health)
    reasons, text = _why_not_ready(health)
    if reasons:
        raise AssertionError(f"the app is not ready: {text}")


def assert_not_ready(health: Health, because: str | Iterable[str] = ()) -> None:
    """Raise AssertionError, which says why, if the app of `health` is ready, or is not ready for other reasons.

    Args:
        health: The Health.
        because: Names of the checks that must make it so, or one of the words starting, stale, stalled, draining,
            maintenance and stopped. Other reasons may be there too.

    Raises:
        AssertionError: when the app is ready, or for other reasons not ready.
        TypeError: for an argument that is not a Health.
    """
    require_type("assert_not_ready: health", health, Health)
    expected = {because} if isinstance(because, str) else set(because)
    reasons, text = _why_not_ready(health)
    if not reasons:
        names = f", expected {', '.join(sorted(expected))} to make it not ready" if expected else ""
        raise AssertionError(f"the app is ready{names}")
    missing = expected - reasons
    if missing:
        raise AssertionError(f"the app is not ready, but not because of {', '.join(sorted(missing))}: {text}")


def _why_not_ready(health: Health) -> tuple[set[str], str]:
    """Return the names of what makes the app not ready, and a text for people; nothing when it is ready."""
    engine = engine_of(health)
    now = engine.clock()
    summary = engine.summarize(Probe.READINESS, now)
    if summary.status is not Status.UNHEALTHY:
        return set(), ""
    checks = {each.name: each for each in engine.report(Probe.HEALTH, now).checks}
    of_readiness = engine.report(Probe.READINESS, now).checks
    failing = {each.name for each in of_readiness if each.contribution is Status.UNHEALTHY} | {*summary.culprits}
    # A check without a result yet is no reason of its own: the app is starting.
    with_result = {name for name in failing if name in checks and checks[name].state.status is not None}
    reason = summary.reason or "unknown"
    texts = [f"check {name!r}: {_output(checks[name])}" for name in sorted(failing) if name in checks]
    return {reason, *with_result}, "; ".join([reason, *texts])


def _output(check: CheckReport) -> str:
    return "no result yet" if check.state.status is None else redact(check.output) or check.status.name.lower()
