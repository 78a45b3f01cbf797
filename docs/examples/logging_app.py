"""The app of the examples that configure logging. Its database is down while the file `broken` exists."""

from pathlib import Path
from typing import Any

from asgi_health import Check, HealthMiddleware


def ping_database() -> None:
    if Path("broken").exists():
        raise ConnectionError("refused")


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise NotImplementedError("no lifespan and no websockets")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


checks = [Check("database", ping_database, interval=0.1, retry_interval=0.1, timeout=5.0, failure_threshold=1)]
quiet_app = HealthMiddleware(app, checks=checks, quiet=True)
