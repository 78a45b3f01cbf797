"""What runs in a server process: settings, checks, and an app without a framework."""

import json
import os
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio

from asgi_health import Check, Drain, HealthMiddleware, Integration, Listener, bearer_token, healthy
from asgi_health.asgi.events import watcher
from asgi_health.integrations.systemd import Systemd

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

VARIABLE = "ASGI_HEALTH_TEST_TARGET"
TOKEN = "open-sesame"
REGULAR = 0.2  # seconds between two runs of the check of that name


@dataclass(frozen=True)
class Settings:
    """What a process serves; passed in an environment variable."""

    folder: str  # of the files through which the test and the process communicate
    app: str = "bare"
    health: bool = True
    checks: tuple[str, ...] = ()
    listener: dict[str, Any] | None = None  # the options of Listener; "{folder}" in its address is the folder
    grpc: str | None = None  # the address of the gRPC health service
    slow_loop: float = 1.0
    quiet: bool = False
    logging: str | None = None  # a function of logging_setups, called after the app is made
    drain: float | None = None  # the delay of its Drain, which has the file `draining`
    stream_lifetime: float | None = None  # seconds after which a stream of events ends, in place of twenty
    waits: bool = False  # its startup takes until the file `go` exists
    systemd: bool = False  # whether it notifies systemd

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls) -> "Settings":
        values = json.loads(os.environ[VARIABLE])
        return cls(**values | {"checks": tuple(values["checks"])})


@dataclass(frozen=True)
class Folder:
    """The files through which a test and the process that it started communicate."""

    path: Path

    @property
    def broken(self) -> Path:
        """While this file exists the dependency of the check `dependency` is down."""
        return self.path / "broken"

    @property
    def go(self) -> Path:
        """Once this file exists an app that waits has started."""
        return self.path / "go"

    @property
    def draining(self) -> Path:
        """While this file exists an app with a drain drains."""
        return self.path / "draining"

    @property
    def fifo(self) -> Path:
        """The pipe that a blocked loop waits for."""
        return self.path / "fifo"

    def unblock(self) -> None:
        os.close(os.open(self.fifo, os.O_WRONLY))

    def note(self, event: str) -> None:
        with (self.path / "events").open("a") as file:
            file.write(f"{event}\n")

    @property
    def events(self) -> list[str]:
        file = self.path / "events"
        return file.read_text().split("\n")[:-1] if file.exists() else []


def make_checks(settings: Settings) -> list[Check]:
    folder = Folder(Path(settings.folder))
    makers: dict[str, Callable[[Folder], Check]] = {
        "dependency": dependency,
        "counted": counted,
        "regular": regular,
        "hangs": hangs,
        "uncancellable": uncancellable,
        "lingers": lingers,
        "blocks": blocks,
        "process": process,
    }
    return [makers[name](folder) for name in settings.checks]


def dependency(folder: Folder) -> Check:
    """Fail while the file exists, by the return value: the traceback of an exception would be in the log."""

    async def run() -> bool:
        return not folder.broken.exists()

    return Check("dependency", run, interval=0.1, retry_interval=0.1, timeout=5.0, failure_threshold=1)


def counted(folder: Folder) -> Check:
    """Run once per process."""
    return Check("counted", lambda: folder.note("counted"), interval=3600.0, timeout=5.0)


def regular(folder: Folder) -> Check:
    """Run every `REGULAR` seconds. Async, because a shutdown does not wait for the thread of a plain function."""

    async def run() -> None:
        folder.note("regular")

    return Check("regular", run, interval=REGULAR, timeout=5.0)


def hangs(folder: Folder) -> Check:
    """Wait forever, and end when cancelled."""

    async def run() -> None:
        folder.note("hangs")
        try:
            await anyio.sleep_forever()
        finally:
            folder.note("cancelled")

    return Check("hangs", run, critical=False, interval=0.1, retry_interval=0.1, timeout=2.0)


def uncancellable(folder: Folder) -> Check:
    """Wait forever, and ignore each cancellation."""

    async def run() -> None:
        folder.note("uncancellable")
        while True:
            try:
                await anyio.sleep_forever()
            except BaseException:
                pass

    return Check("uncancellable", run, critical=False, interval=0.1, retry_interval=0.1, timeout=0.3)


def lingers(folder: Folder) -> Check:
    """Wait forever, and need a minute to clean up when cancelled."""

    async def run() -> None:
        folder.note("lingers")
        try:
            await anyio.sleep_forever()
        finally:
            await anyio.sleep(60.0)

    return Check("lingers", run, critical=False, interval=0.1, retry_interval=0.1, timeout=2.0)


def blocks(folder: Folder) -> Check:
    """Block its thread forever."""

    def run() -> None:
        folder.note("blocks")
        while True:
            threading.Event().wait()

    return Check("blocks", run, critical=False, interval=0.1, retry_interval=0.1, timeout=0.3)


def process(folder: Folder) -> Check:
    """Show the process that answers."""
    return Check("process", lambda: healthy(data={"pid": os.getpid()}), interval=3600.0, timeout=5.0)


def middleware_options(settings: Settings) -> dict[str, Any]:
    return {
        "checks": make_checks(settings),
        "details": bearer_token(TOKEN),
        "listener": None if settings.listener is None else make_listener(settings, **settings.listener),
        "slow_loop": settings.slow_loop,
        "quiet": settings.quiet,
        "drain": None if settings.drain is None else make_drain(settings, settings.drain),
        "integrations": make_integrations(settings),
    }


def make_listener(settings: Settings, address: str, **options: Any) -> Listener:
    return Listener(address.format(folder=settings.folder), **options)


def make_drain(settings: Settings, delay: float) -> Drain:
    return Drain(delay=delay, file=Folder(Path(settings.folder)).draining)


def make_integrations(settings: Settings) -> list[Integration]:
    integrations: list[Integration] = [Systemd()] if settings.systemd else []
    if settings.grpc is not None:
        from asgi_health.integrations.grpc import Grpc

        integrations.append(Grpc(settings.grpc, stall_ready=0.6, stall_live=1.2))
    return integrations


def with_health(app: Any, settings: Settings) -> Any:
    """Return the app in the middleware, or the app itself where a test compares the two."""
    if settings.stream_lifetime is not None:
        watcher.LIFETIME = settings.stream_lifetime
    return HealthMiddleware(app, **middleware_options(settings)) if settings.health else app


def block_the_loop(fifo: Path) -> None:
    os.mkfifo(fifo)
    os.close(os.open(fifo, os.O_RDONLY))


def bare(settings: Settings) -> App:
    """Return an app that answers with the request that it got; `/block` blocks the loop until `unblock`."""
    folder = Folder(Path(settings.folder))

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        else:
            assert scope["type"] == "http"
            if scope["path"] == "/block":
                block_the_loop(folder.fifo)
            await echo(scope, receive, send)

    async def lifespan(receive: Receive, send: Send) -> None:
        for event in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{event}"
            folder.note(event)
            while event == "startup" and settings.waits and not folder.go.exists():  # noqa: ASYNC110  a file
                await anyio.sleep(0.01)
            await send({"type": f"lifespan.{event}.complete"})

    async def echo(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        received = b""
        more = True
        while more:
            message = await receive()
            received += message.get("body", b"")
            more = message.get("more_body", False)
        seen: dict[str, object] = {
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode(),
            "custom": [value.decode() for name, value in scope["headers"] if name == b"x-custom"],
            "body": received.decode(),
        }
        if scope["path"] == "/extensions":
            seen["extensions"] = sorted(scope.get("extensions") or {})
        body = json.dumps(seen).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app
