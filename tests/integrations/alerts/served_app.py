"""An app with alerts for a server in a process of its own. Its database is down while the file ALERTS_BROKEN exists.

With ALERTS_BOARD its workers share the board at that path. ``GET /block`` blocks the event loop until the file
ALERTS_RELEASE exists.
"""

import os
import time
from pathlib import Path

from asgi_health import Board, Check, HealthMiddleware, Listener
from asgi_health.asgi.types import Receive, Scope, Send
from asgi_health.integrations.alerts import Alerts

BROKEN = Path(os.environ["ALERTS_BROKEN"])
RELEASE = Path(os.environ["ALERTS_RELEASE"])
URLS = os.environ["ALERTS_URLS"].split()


async def block(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    while not RELEASE.exists():  # noqa: ASYNC240  blocking is what this app is for
        time.sleep(0.01)  # noqa: ASYNC251
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
    board=Board(os.environ["ALERTS_BOARD"]) if "ALERTS_BOARD" in os.environ else None,
    integrations=[Alerts(URLS, wait=0.1, service="shop")] if URLS else [],
)
