"""Apps for the command to ask: one that is well, one that is ill."""

from asgi_health import HealthMiddleware

from ..apps import plain_app


def payments() -> None:
    raise ConnectionError("payments refuse the connection")


well = HealthMiddleware(plain_app, {"database": lambda: None}, details=True)
ill = HealthMiddleware(plain_app, {"database": lambda: None, "payments": payments}, details=True)
