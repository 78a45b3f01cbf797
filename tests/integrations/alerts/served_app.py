"""An app with alerts for a server in a process of its own. Its database is down while the file of ALERTS_BROKEN exists.

``GET /block`` blocks the event loop for a second.
"""

import os
import time
from pathlib import Path

from asgi_health import Check, HealthMiddleware, Listener
from asgi_health.asgi.types import Receive, Scope, Send
from asgi_health.integrations.alerts import Alerts

BROKEN = Path(os.environ["ALERTS_BROKEN"])
URLS = os.environ["ALERTS_URLS"].split()


async def block(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    time.sleep(1.0)  # noqa: ASYNC251  what this app is for
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def database() -> None:
    if BROKEN.exists():
        raise ConnectionError("refused")


check = Check("database", database, interval=0.05, retry_interval=0.05, failure_threshold=1)
app = HealthMiddleware(
    block,
    [check],
    listener=Listener(os.environ["ALERTS_LISTENER"], stall_ready=0.2) if "ALERTS_LISTENER" in os.environ else None,
    integrations=[Alerts(URLS, wait=0.1, service="shop")] if URLS else [],
)
