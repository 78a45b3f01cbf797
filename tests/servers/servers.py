"""The servers: one row each, `{app}`, `{fd}` and `{unix}` stand for what is known when one is started."""

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class Server:
    name: str
    command: tuple[str, ...]  # behind `python -m`
    lifespan: bool = True
    http2: bool = False  # speaks it in the clear to a client that knows beforehand

    @property
    def on_unix_socket(self) -> bool:
        """Whether it binds a path itself; the others are handed a socket that is bound already."""
        return any("{unix}" in part for part in self.command)

    def __str__(self) -> str:
        return self.name


_UVICORN = ("uvicorn", "{app}", "--fd", "{fd}")
_HYPERCORN = ("hypercorn", "{app}", "--bind", "fd://{fd}")
_GRANIAN = ("granian", "{app}", "--uds", "{unix}")
_GUNICORN = ("gunicorn", "{app}", "--bind", "fd://{fd}", "--no-control-socket")

UVICORN = Server("uvicorn-httptools-uvloop", (*_UVICORN, "--http", "httptools", "--loop", "uvloop"))

SERVERS = (
    # First those that speak HTTP/2: its tests, which take no others, find each server under the number it has here.
    Server("hypercorn-asyncio", (*_HYPERCORN, "-k", "asyncio", "--workers", "0"), http2=True),
    Server("hypercorn-asyncio-worker", (*_HYPERCORN, "-k", "asyncio", "--workers", "1"), http2=True),
    # With no worker of its own SIGTERM kills it outright, as nobody listens for the signal.
    Server("hypercorn-trio", (*_HYPERCORN, "-k", "trio", "--workers", "1"), http2=True),
    Server("granian-asyncio", (*_GRANIAN, "--interface", "asgi", "--loop", "asyncio"), http2=True),
    Server("granian-uvloop", (*_GRANIAN, "--interface", "asgi", "--loop", "uvloop"), http2=True),
    Server("granian-asginl", (*_GRANIAN, "--interface", "asginl", "--loop", "asyncio"), lifespan=False, http2=True),
    Server("uvicorn-h11-asyncio", (*_UVICORN, "--http", "h11", "--loop", "asyncio")),
    Server("uvicorn-httptools-asyncio", (*_UVICORN, "--http", "httptools", "--loop", "asyncio")),
    UVICORN,
    # An alpha that uvicorn offers beside its two other parsers, and that needs a package of its own.
    *([Server("uvicorn-zttp", (*_UVICORN, "--http", "zttp", "--loop", "asyncio"))] if find_spec("zttp") else []),
    Server("gunicorn-asgi", (*_GUNICORN, "-k", "asgi")),
    Server("gunicorn-uvicorn-worker", (*_GUNICORN, "-k", "uvicorn_worker.UvicornWorker")),
    Server("daphne", ("daphne", "{app}", "--fd", "{fd}"), lifespan=False),
    Server("uvicorn-lifespan-off", (*_UVICORN, "--lifespan", "off"), lifespan=False),
)
