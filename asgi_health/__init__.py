"""Health endpoints for any ASGI app, answered from bytes that were ready before the request arrived.

The rooms, from the bottom: `core` decides (sans-IO), `formats` puts a report into bytes, `runtime` runs the checks,
`asgi` answers the requests, `checks` holds ready-made ones, `cli` is the command line, `testing` helps those who test
checks and apps of their own.
"""

TYPE_CHECKING = False  # what type checkers take for true; importing typing would cost more than all the rest

if TYPE_CHECKING:
    from .asgi.details import bearer_token, client_in
    from .asgi.early import listen_early
    from .asgi.middleware import HealthMiddleware
    from .asgi.paths import Paths
    from .asgi.running import Health
    from .core.check import Check
    from .core.drain import Drain
    from .core.listener import Listener
    from .core.report import Report
    from .core.result import Result, degraded, healthy, unhealthy
    from .core.status import Probe, Status
    from .core.transition import Transition
    from .formats.service import ServiceInfo

    __version__: str

__all__ = [
    "Check",
    "Drain",
    "Health",
    "HealthMiddleware",
    "Listener",
    "Paths",
    "Probe",
    "Report",
    "Result",
    "ServiceInfo",
    "Status",
    "Transition",
    "bearer_token",
    "client_in",
    "degraded",
    "healthy",
    "listen_early",
    "unhealthy",
]

# Each name is fetched from its room when it is first used: importing the package alone costs next to nothing.
_ROOMS = {
    "Check": ".core.check",
    "Drain": ".core.drain",
    "Health": ".asgi.running",
    "HealthMiddleware": ".asgi.middleware",
    "Listener": ".core.listener",
    "Paths": ".asgi.paths",
    "Probe": ".core.status",
    "Report": ".core.report",
    "Result": ".core.result",
    "ServiceInfo": ".formats.service",
    "Status": ".core.status",
    "Transition": ".core.transition",
    "bearer_token": ".asgi.details",
    "client_in": ".asgi.details",
    "degraded": ".core.result",
    "healthy": ".core.result",
    "listen_early": ".asgi.early",
    "unhealthy": ".core.result",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "__version__":
        return _version()
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_ROOMS[name], __name__), name)
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
