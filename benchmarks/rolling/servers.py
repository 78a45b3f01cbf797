"""The servers that can drain: one row each, on `{host}` and `{port}`, with the app `{app}`."""

from importlib.util import find_spec

from tests.servers.servers import Server

_TARGET = "benchmarks.rolling.target:app"
_UVICORN = ("uvicorn", _TARGET, "--host", "{host}", "--port", "{port}", "--no-access-log")
_GUNICORN = ("gunicorn", _TARGET, "--bind", "{host}:{port}", "--no-control-socket")
_GRANIAN = ("granian", _TARGET, "--host", "{host}", "--port", "{port}", "--interface", "asgi")
_HYPERCORN = ("hypercorn", _TARGET, "--bind", "{host}:{port}")

UVICORN = Server("uvicorn-httptools-uvloop", (*_UVICORN, "--http", "httptools", "--loop", "uvloop"))
UVICORN_WORKERS = Server("uvicorn-2-workers", (*_UVICORN, "--workers", "2"))
DAPHNE = Server("daphne", ("daphne", _TARGET, "-b", "{host}", "-p", "{port}"), lifespan=False)
HYPERCORN_WORKERS = Server("hypercorn-worker", (*_HYPERCORN, "--workers", "1"))

SERVERS = (
    UVICORN,
    Server("uvicorn-httptools-asyncio", (*_UVICORN, "--http", "httptools", "--loop", "asyncio")),
    Server("uvicorn-h11-asyncio", (*_UVICORN, "--http", "h11", "--loop", "asyncio")),
    # An alpha: the third parser of uvicorn, which needs a package of its own.
    *(
        [Server("uvicorn-zttp-asyncio", (*_UVICORN, "--http", "zttp", "--loop", "asyncio"))]
        if find_spec("zttp")
        else []
    ),
    UVICORN_WORKERS,
    Server("gunicorn-uvicorn-worker", (*_GUNICORN, "-k", "uvicorn_worker.UvicornWorker")),
    Server("gunicorn-asgi", (*_GUNICORN, "-k", "asgi")),
    Server("granian-asyncio", (*_GRANIAN, "--loop", "asyncio")),
    Server("granian-uvloop", (*_GRANIAN, "--loop", "uvloop")),
    DAPHNE,
    Server("hypercorn-0-workers", (*_HYPERCORN, "--workers", "0")),
    Server("hypercorn-serve", ("benchmarks.rolling.programmatic", "{host}:{port}")),
)
