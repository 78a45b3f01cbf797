"""Where the alerts of the shop arrive: a small HTTP server, as a chat or a pager has one.

It has a thread and a port of its own, so that alerts arrive while the event loop of the shop is blocked.
"""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from asgi_health.formats.page.tones import Tone

POLL_INTERVAL = 0.1
"""Seconds. The demo ends this much later than it could, at most."""


@contextmanager
def receiving(host: str, arrived: Callable[[str, Tone], None]) -> Generator[str]:
    """Receive alerts during the block, and yield the URL for them.

    Args:
        host: The address to listen on.
        arrived: Called in the thread of the receiver with the title of each alert, and with its status: ``fail``,
            ``warn``, or ``pass`` for a recovery.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            alert = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["data"]
            self.send_response(204)
            self.end_headers()
            arrived(alert["title"], _status(alert))

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing: the page shows what arrives."""

    with HTTPServer((host, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(POLL_INTERVAL,), name="demo receiver", daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{server.server_port}/alerts"
        finally:
            server.shutdown()
            thread.join()


def _status(alert: dict[str, Any]) -> Tone:
    if alert["kind"] == "recovery":
        return "pass"
    present = [each["status"] for each in alert["incidents"] if each["state"] != "recovered"]
    return "fail" if "fail" in present else "warn"
