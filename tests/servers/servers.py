"""The servers, one row each. `{app}`, `{fd}` and `{unix}` are replaced when one is started."""

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class Server:
    name: str
    command: tuple[str, ...]  # after `python -m`
    lifespan: bool = True
    http2: bool = False  # without TLS, for clients with prior knowledge

    @property
    def on_unix_socket(self) -> bool:
        """Whether it binds a path itself; the others get a socket that is bound already."""
        return any("{unix}" in part for part in self.command)

    def __str__(self) -> str:
        return self.name


_UVICORN = ("uvicorn", "{app}", "--fd", "{fd}")
_HYPERCORN = ("hypercorn", "{app}", "--bind", "fd://{fd}")
_GRANIAN = ("granian", "{app}", "--uds", "{unix}")
_GUNICORN = ("gunicorn", "{app}", "--bind", "fd://{fd}", "--no-control-socket")

PARSERS = ("uvicorn-httptools-asyncio", "uvicorn-zttp")
"""Servers that differ from another one in the parser of HTTP alone."""

UVICORN = Server("uvicorn-httptools-uvloop", (*_UVICORN, "--http", "httptools", "--loop", "uvloop"))

SERVERS = (
    # First those with HTTP/2: its tests use only these, and pytest shares a server between tests by its position here.
    Server("hypercorn-asyncio", (*_HYPERCORN, "-k", "asyncio", "--workers", "0"), http2=True),
    Server("hypercorn-asyncio-worker", (*_HYPERCORN, "-k", "asyncio", "--workers", "1"), http2=True),
    # Without a worker SIGTERM kills it at once, because it has no handler for the signal.
    Server("hypercorn-trio", (*_HYPERCORN, "-k", "trio", "--workers", "1"), http2=True),
    Server("granian-asyncio", (*_GRANIAN, "--interface", "asgi", "--loop", "asyncio"), http2=True),
    Server("granian-uvloop", (*_GRANIAN, "--interface", "asgi", "--loop", "uvloop"), http2=True),
    Server("granian-asginl", (*_GRANIAN, "--interface", "asginl", "--loop", "asyncio"), lifespan=False, http2=True),
    Server("uvicorn-h11-asyncio", (*_UVICORN, "--http", "h11", "--loop", "asyncio")),
    Server("uvicorn-httptools-asyncio", (*_UVICORN, "--http", "httptools", "--loop", "asyncio")),
    UVICORN,
    # A third parser of uvicorn, in alpha, which needs a package of its own.
    *([Server("uvicorn-zttp", (*_UVICORN, "--http", "zttp", "--loop", "asyncio"))] if find_spec("zttp") else []),
    Server("gunicorn-asgi", (*_GUNICORN, "-k", "asgi")),
    Server("gunicorn-uvicorn-worker", (*_GUNICORN, "-k", "uvicorn_worker.UvicornWorker")),
    Server("daphne", ("daphne", "{app}", "--fd", "{fd}"), lifespan=False),
    Server("uvicorn-lifespan-off", (*_UVICORN, "--lifespan", "off"), lifespan=False),
)
