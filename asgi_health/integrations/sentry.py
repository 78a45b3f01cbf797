"""Sentry: one event when a probe turns bad, and no transaction of a probe.

sentry_sdk.init(dsn=..., traces_sampler=traces_sampler(0.1))
report_to_sentry(health)
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import not_installed

try:
    import sentry_sdk
except ModuleNotFoundError as _error:
    raise not_installed(_error, "sentry_sdk", extra="sentry") from None

from ..asgi.paths import Paths
from ..asgi.router import HealthRouter
from ..asgi.types import Scope
from ..core.status import Probe, Status
from ..core.transition import ProbeTransition, Transition
from ..core.validate import require_type
from ..formats.redact import redact
from ..health import Health, engine_of

if TYPE_CHECKING:
    from ..runtime.publisher.subscription import Subscription

__all__ = ["report_to_sentry", "traces_sampler"]

INCIDENTS = {"check": "", "stale": "no new result", "stalled": "the event loop is blocked"}
"""The causes of events, in words. A start, a drain and the end of the app are no incidents."""

MAX_CHECKS = 10
"""Checks described in an event."""

Sampler = Callable[[dict[str, Any]], float | bool]
"""Returns the share of the transactions with this sampling context that are sent, from 0 to 1."""


def report_to_sentry(health: Health) -> "Subscription":
    """Send one event to Sentry when a probe turns bad because of a check or a blocked event loop.

    One event per incident, until the probe passes again, and not one per failing run. It has the level ``error``. Its
    tags ``health.probe`` and ``health.cause`` are its fingerprint too. The context ``health`` has the failing checks
    with their messages, without credentials. `/health` sends no event: those of the other probes cover it.

    Args:
        health: The Health.

    Returns:
        The subscription; its `cancel()` ends the events.

    Raises:
        TypeError: for an argument that is not a Health.
    """
    require_type("report_to_sentry: health", health, Health)
    unhealthy: set[Probe] = set()

    def send_event(transition: Transition) -> None:
        if not isinstance(transition, ProbeTransition) or transition.probe is Probe.HEALTH:
            return
        if transition.new is not Status.UNHEALTHY or transition.cause == "starting":
            unhealthy.discard(transition.probe)
        elif transition.cause in INCIDENTS and transition.probe not in unhealthy:
            unhealthy.add(transition.probe)
            _capture(transition, health)

    return health.subscribe(send_event)


def traces_sampler(
    otherwise: float | Sampler,
    paths: Paths = Paths(),  # noqa: B008  frozen, and the default reads as what it is
    *,
    root_path: str = "",
) -> Sampler:
    """Return the ``traces_sampler`` for ``sentry_sdk.init`` that drops the transactions of probes.

    Args:
        otherwise: The share of all other transactions (0 to 1), or the sampler for them. A share is what
            ``traces_sample_rate`` is: a decision that comes with the request precedes it.
        paths: The paths of the probes, as HealthMiddleware has them.
        root_path: The path at which the app is mounted in another app. That of a server needs no mention.

    Raises:
        TypeError: for an argument of another type.
        ValueError: for a share that is not between 0 and 1.
    """
    require_type("traces_sampler: paths", paths, Paths)
    require_type("traces_sampler: root_path", root_path, str)
    sampler = otherwise if callable(otherwise) else _sampler_of(otherwise)
    # With details, so that the paths of single checks are among those that it finds.
    router = HealthRouter(engine_of(Health()), paths, details=True)

    def sample(context: dict[str, Any]) -> float | bool:
        scope: Scope | None = context.get("asgi_scope")
        if scope is None or scope.get("type") != "http":
            return sampler(context)
        found = router.find({**scope, "root_path": root_path} if root_path else scope)
        return sampler(context) if found is None else 0.0

    return sample


def _sampler_of(share: object) -> Sampler:
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise TypeError(f"traces_sampler: otherwise must be a number or a sampler, not {share!r:.80}")
    if not 0 <= share <= 1:
        raise ValueError(f"traces_sampler: otherwise must be between 0 and 1, not {share}")

    def sample(context: dict[str, Any]) -> float | bool:
        parent: float | bool | None = context.get("parent_sampled")
        return share if parent is None else parent

    return sample


def _capture(transition: ProbeTransition, health: Health) -> None:
    probe, cause, names = transition.probe.value, transition.cause, transition.checks
    reports = {each.name: each for each in health.report(transition.probe).checks}
    checks = [
        {"name": name, "status": each.status.name.lower(), "message": redact(each.output), "critical": each.critical}
        for name in names[:MAX_CHECKS]
        if (each := reports.get(name)) is not None
    ]
    more = f" and {len(names) - MAX_CHECKS} more" if len(names) > MAX_CHECKS else ""
    reasons = (f"{probe} fails", INCIDENTS[cause], ", ".join(names[:MAX_CHECKS]) + more)
    with sentry_sdk.new_scope() as scope:
        scope.fingerprint = ["asgi_health", probe, cause]
        scope.set_tag("health.probe", probe)
        scope.set_tag("health.cause", cause)
        scope.set_context("health", {"probe": probe, "cause": cause, "checks": checks})
        scope.capture_message(": ".join(filter(None, reasons)), level="error")
