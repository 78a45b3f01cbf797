"""The app inside each worker: its workers share a board, and tests make trouble for one of them at a time."""

import json
import logging
import os
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio

from asgi_health import Board, Check, Drain, Health, HealthMiddleware, Listener
from tests.servers.apps import VARIABLE, App, Folder, Receive, Send

from ..rolling.app import build

INTERVAL = 0.5
"""Seconds between two runs of each check."""
STALL_READY = 1.0
"""Seconds for which the event loop may be blocked before readiness is unhealthy."""
STALL_LIVE = 1.5
"""The same for liveness."""
DEPENDENCY = "dependency"
"""Name of the check that one worker runs for the host."""


@dataclass(frozen=True)
class Settings:
    """What one process serves. An environment variable carries it there."""

    board: dict[str, Any] | None = None
    """The options of Board; None: without one."""
    drain: dict[str, Any] | None = None
    """The options of Drain."""
    waits: int | None = None
    """The number of the worker, in the order of their starts, that has not started before the file `go` exists."""
    folder: str = ""
    """The folder through which the process and its parent exchange files."""

    def dump(self, folder: str) -> str:
        return json.dumps(asdict(self) | {"folder": folder})

    @classmethod
    def load(cls) -> "Settings":
        return cls(**json.loads(os.environ[VARIABLE]))


@dataclass(frozen=True)
class HostFolder(Folder):
    """The files through which a test and the workers of a host communicate."""

    @property
    def board(self) -> Path:
        return self.path / "health.db"

    def listener(self, pid: int) -> str:
        """Return the address at which one worker answers its probes, also while its loop is blocked."""
        return str(self.path / f"probes-{pid}")

    def sick(self, pid: int) -> Path:
        """While this file exists a check of that worker fails."""
        return self.path / f"sick-{pid}"

    def block(self, pid: int) -> Path:
        """The pipe that the blocked loop of that worker waits for."""
        return self.path / f"block-{pid}"

    def unblock_worker(self, pid: int) -> None:
        os.close(os.open(self.block(pid), os.O_WRONLY))


def make(settings: Settings) -> App:
    """Return the app inside HealthMiddleware. asgi_health logs to stderr, as the server does."""
    logger = logging.getLogger("asgi_health")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler())
    logger.propagate = False
    folder = HostFolder(Path(settings.folder))
    health = Health(_checks(folder))
    return HealthMiddleware(
        _with_faults(build(folder), folder, settings, health),
        health,
        # Each worker has a listener of its own, which gives the times of stalls too.
        listener=Listener(folder.listener(os.getpid()), stall_ready=STALL_READY, stall_live=STALL_LIVE),
        drain=None if settings.drain is None else Drain(**settings.drain),
        board=None if settings.board is None else Board(folder.board, **settings.board),
        details=True,
    )


def _checks(folder: HostFolder) -> list[Check]:
    sick = folder.sick(os.getpid())

    async def own() -> bool:
        return not sick.exists()

    async def dependency() -> None:
        folder.note(f"{DEPENDENCY} {os.getpid()} {time.monotonic()}")

    times: dict[str, Any] = {"interval": INTERVAL, "retry_interval": INTERVAL, "timeout": 5.0, "failure_threshold": 1}
    return [Check("own", own, **times), Check(DEPENDENCY, dependency, scope="host", **times)]


def _with_faults(app: App, folder: HostFolder, settings: Settings, health: Health) -> App:
    ends: list[Callable[[], None]] = []

    async def faulty(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass requests on to `app`, except those for one of the faults, which are answered afterwards."""
        if scope["type"] == "lifespan":
            await _wait_at_start(folder, settings)
            folder.note(f"worker {os.getpid()}")
        match scope.get("path"):
            case "/block":
                _block(folder)
            case "/orders/drain":
                health.drain()
            case "/orders/maintain":
                ends.append(health.maintain(None, 600.0, "a test"))
            case "/orders/resume":
                ends.pop()()
        await app(scope, receive, send)

    return faulty


async def _wait_at_start(folder: HostFolder, settings: Settings) -> None:
    if settings.waits is None:
        return
    number = 1
    while True:
        try:
            (folder.path / f"start-{number}").touch(exist_ok=False)
            break
        except FileExistsError:
            number += 1
    while number == settings.waits and not folder.go.exists():  # noqa: ASYNC110  a file
        await anyio.sleep(0.01)


def _block(folder: HostFolder) -> None:
    """Block the loop until `unblock_worker`."""
    fifo = folder.block(os.getpid())
    os.mkfifo(fifo)
    folder.note(f"blocked {os.getpid()}")
    os.close(os.open(fifo, os.O_RDONLY))
    with suppress(FileNotFoundError):
        fifo.unlink()
