"""Apps for the command to ask: one that is healthy, one that is not."""

from asgi_health import Check, HealthMiddleware, Paths, bearer_token

from ..apps import plain_app


def payments() -> None:
    raise ConnectionError("payments refuse the connection")


healthy = HealthMiddleware(plain_app, {"database": lambda: None}, details=True)
token = bearer_token("open-sesame")
maintained = HealthMiddleware(
    plain_app,
    [Check("database", lambda: None), Check("payments", payments, failure_threshold=1)],
    paths=Paths(maintenance="/health/maintenance"),
    details=token,
    allow_maintenance=token,
)
unhealthy = HealthMiddleware(plain_app, {"database": lambda: None, "payments": payments}, details=True)
