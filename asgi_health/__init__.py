"""Health endpoints for any ASGI app, answered from bytes that were ready before the request arrived.

A map of the package, from the bottom. Each layer imports only from those below it:

- `core`: the engine, which decides what runs when and what each probe answers (sans-IO)
- `formats`: reports as bytes; `checks`: ready-made checks
- `listener`: the probes from a thread of its own
- `runtime`: runs the checks, drains, and detects a blocked event loop
- `asgi`: routing, authorisation, prepared answers, lifespan
- `board`: the state that the workers of a host share, so that each answers for all
- `health`, `middleware`: the public classes Health and HealthMiddleware
- `integrations`: one module per technology (Prometheus, OpenTelemetry, Sentry), imported by applications alone
- `cli`: the command; `testing`: helpers for tests of your own checks and apps

PYTEST_DONT_REWRITE: each run of pytest loads the plugin, perhaps after this module. There is no assert statement in it.
"""

TYPE_CHECKING = False  # what type checkers take for true; importing typing would cost more than all the rest

if TYPE_CHECKING:
    from .asgi.auth import any_of, basic_auth, bearer_token, client_in
    from .asgi.listen_early import listen_early
    from .asgi.paths import Paths
    from .board.config import Board
    from .core.check import Check
    from .core.report import Report
    from .core.result import Result, degraded, healthy, unhealthy
    from .core.status import Probe, Status
    from .core.transition import CheckTransition, ProbeTransition, Transition
    from .formats.service import ServiceInfo
    from .health import Health, Integration
    from .listener.config import Listener
    from .listener.interface import CannotListen
    from .middleware import HealthMiddleware
    from .runtime.drain.config import Drain
    from .runtime.publisher.subscription import Subscription
    from .runtime.scheduler.run_hooks import RunInfo

    __version__: str

__all__ = [
    "Board",
    "CannotListen",
    "Check",
    "CheckTransition",
    "Drain",
    "Health",
    "HealthMiddleware",
    "Integration",
    "Listener",
    "Paths",
    "Probe",
    "ProbeTransition",
    "Report",
    "Result",
    "RunInfo",
    "ServiceInfo",
    "Status",
    "Subscription",
    "Transition",
    "any_of",
    "basic_auth",
    "bearer_token",
    "client_in",
    "degraded",
    "healthy",
    "listen_early",
    "unhealthy",
]

# Each name is imported from its module when it is first used: importing the package alone costs next to nothing.
_MODULES = {
    "CannotListen": ".listener.interface",
    "Check": ".core.check",
    "CheckTransition": ".core.transition",
    "Drain": ".runtime.drain.config",
    "Board": ".board.config",
    "Health": ".health",
    "HealthMiddleware": ".middleware",
    "Integration": ".health",
    "Listener": ".listener.config",
    "Paths": ".asgi.paths",
    "Probe": ".core.status",
    "ProbeTransition": ".core.transition",
    "Report": ".core.report",
    "Result": ".core.result",
    "RunInfo": ".runtime.scheduler.run_hooks",
    "ServiceInfo": ".formats.service",
    "Status": ".core.status",
    "Subscription": ".runtime.publisher.subscription",
    "Transition": ".core.transition",
    "any_of": ".asgi.auth",
    "basic_auth": ".asgi.auth",
    "bearer_token": ".asgi.auth",
    "client_in": ".asgi.auth",
    "degraded": ".core.result",
    "healthy": ".core.result",
    "listen_early": ".asgi.listen_early",
    "unhealthy": ".core.result",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "__version__":
        return _version()
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_MODULES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("asgi-health")
    except PackageNotFoundError:
        raise AttributeError("asgi-health is not installed here, so its version is not known") from None
