"""What runs inside a server process: settings, checks, and an app without a framework."""

import json
import os
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio

from asgi_health import Check, HealthMiddleware, Listener, bearer_token, healthy

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

VARIABLE = "ASGI_HEALTH_TEST_TARGET"
TOKEN = "open-sesame"
REGULAR = 0.2  # seconds between two runs of the check of that name


@dataclass(frozen=True)
class Settings:
    """What a process is to serve; it travels through the environment."""

    folder: str  # where the process and the test meet
    app: str = "bare"
    health: bool = True
    checks: tuple[str, ...] = ()
    listener: dict[str, Any] | None = None  # the options of Listener; "{folder}" in its address is the folder
    slow_loop: float = 1.0
    waits: bool = False  # its startup takes until the test says `go`

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls) -> "Settings":
        values = json.loads(os.environ[VARIABLE])
        return cls(**values | {"checks": tuple(values["checks"])})


@dataclass(frozen=True)
class Folder:
    """The files through which a test and the process that it started see each other."""

    path: Path

    @property
    def broken(self) -> Path:
        """While it exists the dependency of the check `dependency` is down."""
        return self.path / "broken"

    @property
    def go(self) -> Path:
        """Once it exists an app that waits has started."""
        return self.path / "go"

    @property
    def fifo(self) -> Path:
        """What a blocked loop waits to be written to."""
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
        "clings": clings,
        "lingers": lingers,
        "blocks": blocks,
        "process": process,
    }
    return [makers[name](folder) for name in settings.checks]


def dependency(folder: Folder) -> Check:
    """Fails while the file is there, and says so by its return: an exception would leave its traceback in the log."""

    async def run() -> bool:
        return not folder.broken.exists()

    return Check("dependency", run, interval=0.1, retry_interval=0.1, timeout=5.0, failure_threshold=1)


def counted(folder: Folder) -> Check:
    """Due once in the life of a process."""
    return Check("counted", lambda: folder.note("counted"), interval=3600.0, timeout=5.0)


def regular(folder: Folder) -> Check:
    """Due all the time."""
    return Check("regular", lambda: folder.note("regular"), interval=REGULAR, timeout=5.0)


def hangs(folder: Folder) -> Check:
    """Waits for ever, and obeys when it is cancelled."""

    async def run() -> None:
        folder.note("hangs")
        try:
            await anyio.sleep_forever()
        finally:
            folder.note("let go")

    return Check("hangs", run, critical=False, interval=0.1, retry_interval=0.1, timeout=2.0)


def clings(folder: Folder) -> Check:
    """Waits for ever, and swallows each cancellation."""

    async def run() -> None:
        folder.note("clings")
        while True:
            try:
                await anyio.sleep_forever()
            except BaseException:
                pass

    return Check("clings", run, critical=False, interval=0.1, retry_interval=0.1, timeout=0.3)


def lingers(folder: Folder) -> Check:
    """Obeys when it is cancelled, and takes its time to clean up."""

    async def run() -> None:
        folder.note("lingers")
        try:
            await anyio.sleep_forever()
        finally:
            await anyio.sleep(60.0)

    return Check("lingers", run, critical=False, interval=0.1, retry_interval=0.1, timeout=2.0)


def blocks(folder: Folder) -> Check:
    """Blocks its thread for ever."""

    def run() -> None:
        folder.note("blocks")
        while True:
            threading.Event().wait()

    return Check("blocks", run, critical=False, interval=0.1, retry_interval=0.1, timeout=0.3)


def process(folder: Folder) -> Check:
    """Tells which process answers."""
    return Check("process", lambda: healthy(data={"pid": os.getpid()}), interval=3600.0, timeout=5.0)


def middleware_options(settings: Settings) -> dict[str, Any]:
    return {
        "checks": make_checks(settings),
        "details": bearer_token(TOKEN),
        "listener": None if settings.listener is None else make_listener(settings, **settings.listener),
        "slow_loop": settings.slow_loop,
    }


def make_listener(settings: Settings, address: str, **options: Any) -> Listener:
    return Listener(address.format(folder=settings.folder), **options)


def with_health(app: Any, settings: Settings) -> Any:
    """The app inside the health middleware, or as it is where a test wants to see the difference."""
    return HealthMiddleware(app, **middleware_options(settings)) if settings.health else app


def block_the_loop(fifo: Path) -> None:
    os.mkfifo(fifo)
    os.close(os.open(fifo, os.O_RDONLY))


def bare(settings: Settings) -> App:
    """Says what it was asked, so that a test sees whether anything was changed; `/block` waits for `unblock` first."""
    folder = Folder(Path(settings.folder))

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send)
        else:
            assert scope["type"] == "http"
            if scope["path"] == "/block":
                block_the_loop(folder.fifo)
            await echo(scope, receive, send)

    async def live(receive: Receive, send: Send) -> None:
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
        seen = {
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode(),
            "custom": [value.decode() for name, value in scope["headers"] if name == b"x-custom"],
            "body": received.decode(),
        }
        body = json.dumps(seen).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app
