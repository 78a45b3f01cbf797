"""Apps for the command to ask: one that is healthy, one that is not."""

from asgi_health import HealthMiddleware

from ..apps import plain_app


def payments() -> None:
    raise ConnectionError("payments refuse the connection")


healthy = HealthMiddleware(plain_app, {"database": lambda: None}, details=True)
unhealthy = HealthMiddleware(plain_app, {"database": lambda: None, "payments": payments}, details=True)
