"""The app inside each server process. Its answers repeat the path of the request, or name the handler of SIGTERM."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from asgi_health import Check, Drain, HealthMiddleware, Integration, Paths
from tests.servers.apps import VARIABLE, App, Folder, Receive, Send


@dataclass(frozen=True)
class Settings:
    """What one process serves. An environment variable carries it there."""

    drain: dict[str, Any] | None = None
    """The options of Drain."""
    inner: dict[str, Any] | None = None
    """The options of the Drain of a second HealthMiddleware inside the first; its readiness path is /inner."""
    breaks: bool = False
    """Whether its lifespan raises as soon as the folder has a file `break`."""
    warns: bool = False
    """Whether a check that is not critical fails, and its answers show the warning to Envoy."""
    grpc: str | None = None
    """The address of the gRPC health service."""
    fails: bool = False
    """Whether a check fails while the folder has a file `down`."""
    folder: str = ""
    """The folder through which the process and its parent exchange files."""

    def dump(self, folder: str) -> str:
        return json.dumps(asdict(self) | {"folder": folder})

    @classmethod
    def load(cls) -> "Settings":
        return cls(**json.loads(os.environ[VARIABLE]))


def signals() -> str:
    """Return the handler of SIGTERM and the wakeup descriptor of this process.

    It takes the descriptor out for a moment, so do not call it when a signal may arrive.
    """
    handler = signal.getsignal(signal.SIGTERM)
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    module, name = (getattr(handler, key, "") for key in ("__module__", "__qualname__"))
    return f"{module}.{name or handler!r} {wakeup}"


def build(folder: Folder, *, breaks: bool = False) -> App:
    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await {"lifespan": live, "http": answer, "websocket": talk}[scope["type"]](scope, receive, send)

    async def live(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        for event in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{event}"
            folder.note(f"{event} {signals()}")
            await send({"type": f"lifespan.{event}.complete"})
            while breaks:
                await asyncio.sleep(0.01)
                if (folder.path / "break").exists():
                    folder.note("broken")
                    raise RuntimeError("the broker went away")

    async def answer(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Repeat the path. `/slow/0.5/...` takes 0.5 s; `/process` returns the process id, `/signals` `signals()`."""
        path = text = scope["path"]
        if path.startswith("/slow/"):
            folder.note(f"begun {path}")
            await asyncio.sleep(float(path.split("/")[2]))
        elif path == "/process":
            text = str(os.getpid())
        elif path == "/signals":
            text = signals()
        body = text.encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def talk(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Repeat each message until the client or the server closes the websocket."""
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    return app


def make(settings: Settings) -> App:
    """Return the app inside HealthMiddleware. asgi_health logs to stderr, as the server does."""
    logger = logging.getLogger("asgi_health")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler())
    logger.propagate = False
    app = build(Folder(Path(settings.folder)), breaks=settings.breaks)
    if settings.inner is not None:
        inner = Paths(health=None, live=None, ready="/inner", startup=None)
        app = HealthMiddleware(app, drain=Drain(**settings.inner), paths=inner)
    drain = None if settings.drain is None else Drain(**settings.drain)
    checks = [Check("mail", lambda: False, critical=False)] if settings.warns else []
    if settings.fails:
        down = Path(settings.folder) / "down"
        options: dict[str, Any] = {"interval": 0.1, "retry_interval": 0.1, "failure_threshold": 1}
        checks.append(Check("dependency", lambda: not down.exists(), **options))
    integrations = [] if settings.grpc is None else [grpc_at(settings.grpc)]
    return HealthMiddleware(app, checks, drain=drain, envoy_degraded=settings.warns, integrations=integrations)


def grpc_at(address: str) -> Integration:
    from asgi_health.integrations.grpc import Grpc

    return Grpc(address)
