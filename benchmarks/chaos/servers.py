"""The servers with several workers: one row each, on `{host}` and `{port}`, with the app `{app}`."""

from dataclasses import dataclass, replace

from tests.servers.servers import Server

_TARGET = "benchmarks.chaos.target:app"


@dataclass(frozen=True)
class WorkersServer(Server):
    """A server with several workers.

    Attributes:
        workers: Their number; `{workers}` in the command.
        replaces: Whether the server replaces a worker that was killed.
        accepts: Whether a worker whose event loop is blocked still accepts connections, which then wait.
    """

    workers: int = 4
    replaces: bool = True
    accepts: bool = False

    def with_workers(self, workers: int) -> "WorkersServer":
        return replace(
            self, workers=workers, command=tuple(part.replace("{workers}", str(workers)) for part in self.command)
        )


# A worker that is stopped by SIGSTOP must not be killed meanwhile: uvicorn does so after 5 s, gunicorn after 30 s.
UVICORN = WorkersServer(
    "uvicorn",
    ("uvicorn", _TARGET, "--host", "{host}", "--port", "{port}", "--no-access-log", "--workers", "{workers}",
     "--timeout-worker-healthcheck", "60"),
)  # fmt: skip
_GUNICORN = ("gunicorn", _TARGET, "--bind", "{host}:{port}", "--no-control-socket", "--workers", "{workers}")
_GRANIAN = ("granian", _TARGET, "--host", "{host}", "--port", "{port}", "--interface", "asgi", "--loop", "asyncio")

SERVERS = (
    UVICORN,
    WorkersServer("gunicorn-uvicorn-worker", (*_GUNICORN, "-k", "uvicorn_worker.UvicornWorker")),
    WorkersServer("gunicorn-asgi", (*_GUNICORN, "-k", "asgi")),
    WorkersServer(
        "granian",
        (*_GRANIAN, "--workers", "{workers}", "--respawn-failed-workers", "--respawn-interval", "0.1"),
        accepts=True,
    ),
    WorkersServer(
        "hypercorn", ("hypercorn", _TARGET, "--bind", "{host}:{port}", "--workers", "{workers}"), replaces=False
    ),
)
