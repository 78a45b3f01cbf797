"""The app inside each worker of a host, whose workers share a board, and the faults that it can have."""

import json
import logging
import os
import time
from collections.abc import Callable, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio

from asgi_health import Board, Check, Drain, Health, HealthMiddleware, Listener
from tests.servers.apps import VARIABLE, App, Folder, Receive, Send

from ..rolling.app import build

INTERVAL = 0.5
"""Seconds between two runs of each check."""
OWN = "own"
"""Name of the check that each worker runs."""
SHARED = "shared"
"""Name of the check that one worker runs for the host."""


@dataclass(frozen=True)
class Settings:
    """What one process serves. An environment variable carries it there."""

    workers: int | None = None
    """The option of Board."""
    drain: dict[str, Any] | None = None
    """The options of Drain."""
    stall_ready: float = 0.8
    """Seconds for which the event loop may be blocked before readiness is unhealthy."""
    stall_live: float = 1.0
    """The same for liveness."""
    last_waits: bool = False
    """Whether the last of `workers` does not start before the file `go` exists."""
    folder: str = ""
    """The folder through which the process and its parent exchange files."""

    def dump(self, folder: str) -> str:
        return json.dumps(asdict(self) | {"folder": folder})

    @classmethod
    def load(cls) -> "Settings":
        return cls(**json.loads(os.environ[VARIABLE]))


@dataclass(frozen=True)
class HostFolder(Folder):
    """The files through which the workers of a host and their parent communicate."""

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
        """Once this pipe exists the loop of that worker is blocked until another process opens it to write."""
        return self.path / f"block-{pid}"


def make(settings: Settings) -> App:
    """Return the app inside HealthMiddleware. asgi_health logs to stderr, as the server does."""
    logger = logging.getLogger("asgi_health")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler())
    logger.propagate = False
    folder = HostFolder(Path(settings.folder))
    health = Health(_checks(folder))
    return HealthMiddleware(
        _with_orders(build(folder), folder, settings, health),
        health,
        # A listener for each worker, which also says how long a loop may be blocked.
        listener=Listener(
            folder.listener(os.getpid()), stall_ready=settings.stall_ready, stall_live=settings.stall_live
        ),
        drain=None if settings.drain is None else Drain(**settings.drain),
        board=Board(folder.board, workers=settings.workers),
        slow_loop=0,
    )


def _checks(folder: HostFolder) -> list[Check]:
    sick, block = folder.sick(os.getpid()), folder.block(os.getpid())

    async def own() -> bool:
        if block.exists():
            folder.note(f"blocked {os.getpid()}")
            os.close(os.open(block, os.O_RDONLY))
            block.unlink()
        return not sick.exists()

    async def shared() -> None:
        folder.note(f"{SHARED} {os.getpid()} {time.monotonic()}")

    times: dict[str, Any] = {"interval": INTERVAL, "retry_interval": INTERVAL, "failure_threshold": 1}
    return [Check(OWN, own, timeout=60.0, **times), Check(SHARED, shared, scope="host", timeout=5.0, **times)]


def _with_orders(app: App, folder: HostFolder, settings: Settings, health: Health) -> App:
    ends: list[Callable[[], None]] = []

    async def ordered(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Call `app`, after an order to the health of this worker where the path is that of one."""
        if scope["type"] == "lifespan":
            await _start(folder, settings)
        match scope.get("path"):
            case "/order/drain":
                health.drain()
            case "/order/maintain":
                ends.append(health.maintain(None, 600.0, "an update of the database"))
            case "/order/resume":
                health.maintain(None, 600.0)()
        await app(scope, receive, send)

    return ordered


async def _start(folder: HostFolder, settings: Settings) -> None:
    number = 1
    while True:
        try:
            (folder.path / f"start-{number}").touch(exist_ok=False)
            break
        except FileExistsError:
            number += 1
    folder.note(f"worker {os.getpid()}")
    while settings.last_waits and number == settings.workers and not folder.go.exists():  # noqa: ASYNC110  a file
        await anyio.sleep(0.01)
