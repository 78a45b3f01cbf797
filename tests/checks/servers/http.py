"""uvicorn, with a small application behind a password."""

import base64
import sys
from pathlib import Path
from typing import Any

from ..daemon import Daemon
from ..port import HOST, accepts, established
from .server import PASSWORD, USER, Server

ROOT = Path(__file__).parents[3]
LOGIN = b"Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode())
ANSWERS: dict[str, tuple[int, bytes]] = {
    "/health": (200, b'{"status": "ok", "version": 3}'),
    "/away": (302, b""),
    "/error": (500, b"secret internals"),
    "/text": (200, b"ok"),
    "/list": (200, b"[]"),
    "/large": (200, b" " * 1_000_000),
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    headers = dict(scope["headers"])
    status, body = ANSWERS.get(scope["path"], (404, b""))
    if headers.get(b"authorization") != LOGIN:
        status, body = 401, b""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, (b"location", b"/health")]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


class Http(Server):
    name = "http"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        place = ["--app-dir", str(ROOT), "--host", HOST, "--port", str(port), "--lifespan", "off"]
        command = [sys.executable, "-m", "uvicorn", f"{__name__}:app", *place, "--timeout-keep-alive", "60"]
        self.daemon = Daemon("uvicorn", command, folder / "log")

    def ready(self) -> bool:
        return accepts(self.port)

    def connections(self) -> int:
        return established(self.port)
