"""asgi-health around the other apps."""

from asgi_health import Check, HealthMiddleware, Paths

from ..setup import METRICS, App, Setup
from . import limit

# Frameworks are imported in the functions: the process that measures asgi-health alone must not have one.


def _around(app: App, setup: Setup) -> App:
    checks = [Check(name, run, interval=setup.interval, timeout=setup.timeout) for name, run in setup.checks]
    return HealthMiddleware(
        app,
        checks,
        paths=Paths(metrics=METRICS if setup.metrics else None),
        details=setup.details,
        slow_loop=setup.slow_loop,
        allow_metrics=setup.metrics,
    )


def around_limit(setup: Setup) -> App:
    """Return it around the app of constant messages."""
    return _around(limit.app(setup), setup)


def around_starlette(setup: Setup) -> App:
    """Return it around Starlette."""
    from .hand import starlette_base

    return _around(starlette_base(setup), setup)


def around_fastapi(setup: Setup) -> App:
    """Return it around FastAPI."""
    from .hand import fastapi_base

    return _around(fastapi_base(setup), setup)
