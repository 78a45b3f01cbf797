"""The servers with several workers: one row each, on `{host}` and `{port}`."""

from dataclasses import dataclass, replace

from tests.servers.servers import Server

_TARGET = "benchmarks.chaos.target:app"
_ADDRESS = ("--host", "{host}", "--port", "{port}", "--workers", "{workers}")
_BIND = ("--bind", "{host}:{port}", "--workers", "{workers}")


@dataclass(frozen=True)
class WorkersServer(Server):
    """A server with several workers.

    Attributes:
        workers: Their number.
        replaces: Whether it replaces a worker that was killed.
        queues_apart: Whether each worker has a queue of connections of its own, so that those of one that is blocked
            or stopped get no answer. Elsewhere the other workers take them.
    """

    workers: int = 4
    replaces: bool = True
    queues_apart: bool = False

    def with_workers(self, workers: int) -> "WorkersServer":
        command = tuple(part.replace("{workers}", str(workers)) for part in self.command)
        return replace(self, workers=workers, command=command)


# uvicorn kills a worker that does not answer it, as one that is stopped, after five seconds.
_UVICORN = ("uvicorn", _TARGET, *_ADDRESS, "--no-access-log", "--timeout-worker-healthcheck", "60")
_GUNICORN = ("gunicorn", _TARGET, *_BIND, "--no-control-socket")
# granian stops when a worker was killed, unless it is to replace it.
_GRANIAN = ("granian", _TARGET, *_ADDRESS, "--interface", "asgi", "--loop", "asyncio", "--respawn-failed-workers")

UVICORN = WorkersServer("uvicorn", _UVICORN)

SERVERS = (
    UVICORN,
    WorkersServer("gunicorn-uvicorn-worker", (*_GUNICORN, "-k", "uvicorn_worker.UvicornWorker")),
    WorkersServer("gunicorn-asgi", (*_GUNICORN, "-k", "asgi")),
    WorkersServer("granian", (*_GRANIAN, "--respawn-interval", "0.1"), queues_apart=True),
    WorkersServer("hypercorn", ("hypercorn", _TARGET, *_BIND), replaces=False),
)
