"""A server under attack: `python -m benchmarks.attacked KIND ADDRESS` serves until the process is killed."""

import asyncio
import socket
import sys
from collections.abc import Callable
from threading import Thread

from asgi_health import Health, HealthMiddleware, Listener

from .setup import Setup


def _listener(address: str) -> None:
    async def main() -> None:
        async with Health().running(listener=Listener(address)):
            await asyncio.Event().wait()

    asyncio.run(main())


def _own_port(address: str) -> None:
    """Serve the app's own port with the defaults of uvicorn[standard]."""
    _uvicorn(address, http="httptools", loop="uvloop")


def _in_a_thread(http: str) -> Callable[[str], None]:
    """Return a server that runs uvicorn instead of the listener: with the same limits, no lifespan, one worker."""

    def serve(address: str) -> None:
        options = {"http": http, "loop": "asyncio", "limit_concurrency": 256, "timeout_keep_alive": 10}
        Thread(target=_uvicorn, args=(address,), kwargs=options, daemon=True).start()

        async def main() -> None:
            async with Health().running():
                await asyncio.Event().wait()

        asyncio.run(main())

    return serve


def _uvicorn(address: str, **options: object) -> None:
    import uvicorn

    from .apps import limit

    path = "/" in address
    listening = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    if not path:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    host, _, port = address.rpartition(":")
    listening.bind(address if path else (host, int(port)))
    app = HealthMiddleware(limit.app(Setup()))
    config = uvicorn.Config(app, lifespan="off", access_log=False, log_level="critical", **options)  # type: ignore[arg-type]
    uvicorn.Server(config).run([listening])


KINDS: dict[str, Callable[[str], None]] = {
    "listener": _listener,
    "uvicorn": _own_port,
    "thread, h11": _in_a_thread("h11"),
    "thread, httptools": _in_a_thread("httptools"),
}

if __name__ == "__main__":
    KINDS[sys.argv[1]](sys.argv[2])
