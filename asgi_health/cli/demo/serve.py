"""Run the shop, print where it is, and leave nothing behind."""

import logging
import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import uvicorn

from asgi_health import Integration, Status
from asgi_health.integrations.alerts import Alerts, Webhook

from .changes import Changes
from .dependencies import Database, Payments, Recommendations
from .faults import Fault, LoopBlocker, make_faults
from .receiver import receiving
from .shop import create_shop

HOST = "127.0.0.1"
STARTUP_FAILED = 3  # the exit code of newer releases of uvicorn for a failed startup


class CannotListen(Exception):
    """The port is not available; the text says which one, and why."""


def serve(port: int) -> int:
    """Run the shop until SIGINT or SIGTERM, which raise KeyboardInterrupt; return an exit code if its startup fails.

    Raises CannotListen.
    """
    changes = Changes()
    with (
        _listener(port) as listener,
        TemporaryDirectory(prefix="asgi-health-demo-") as folder,
        receiving(HOST, changes.add_alert) as alerts_url,
    ):
        database = Database(Path(folder) / "shop.db")
        payments = Payments()
        recommendations = Recommendations()
        blocker = LoopBlocker()
        faults = make_faults(database, payments, recommendations, blocker)
        app = create_shop(database, payments, recommendations, faults, changes, _alerts(alerts_url))
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        _log_to_the_terminal()
        config = uvicorn.Config(
            app,
            access_log=False,
            lifespan="on",
            log_config=None,
            log_level="warning",
            timeout_graceful_shutdown=1,
            ws="none",
        )
        server = _Server(config, lambda: print(_welcome(url, faults), flush=True), blocker.release)
        server.run(sockets=[listener])
    return 0 if server.started else STARTUP_FAILED


def _alerts(url: str) -> list[Integration]:
    """Return the alerts of the shop, none where httpcore is not installed."""
    try:
        webhook = Webhook(url)
    except ModuleNotFoundError as error:
        if error.name != "httpcore":
            raise
        return []
    return [Alerts([webhook], minimum=Status.DEGRADED, service="shop 1")]


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port), backlog=128)
    except OSError as error:
        # create_server adds the address to the text, which this message already contains.
        reason = os.strerror(error.errno) if error.errno else error
        raise CannotListen(f"cannot listen on {HOST}:{port}: {reason}") from None


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping()
        super().handle_exit(sig, frame)


def _welcome(url: str, faults: Iterable[Fault]) -> str:
    lines = [
        f"The shop is running at {url}/",
        "",
        "What a probe reads",
        *(f"  curl -i {url}{path}" for path in ("/livez", "/readyz", "/startupz", "/health")),
        "Why each status is what it is, its uptime, and the metrics for Prometheus",
        f"  curl -i '{url}/health?explain'",
        f"  curl -i {url}/health/metrics",
        "What the shop itself answers",
        f"  curl -i {url}/products",
        "Break a dependency (/repair/... instead of /break/... repairs it)",
        *(f"  curl {url}/break/{fault.name}" for fault in faults),
        "",
        "Press Ctrl-C to stop it.",
    ]
    return "\n".join(lines)


def _log_to_the_terminal() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))
    handler.addFilter(_one_line)
    logger = logging.getLogger("asgi_health")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False


def _one_line(record: logging.LogRecord) -> bool:
    """Cut `record` to its first line, without traceback: on the terminal each change is one line."""
    record.msg, record.args = record.getMessage().partition("\n")[0], ()
    record.exc_info = record.exc_text = None
    return True
