"""The command of each ASGI server, and what it does at SIGTERM.

docs/reference/servers.md names the test of each fact.
"""

from dataclasses import dataclass
from math import ceil

from .address import at


@dataclass(frozen=True, slots=True)
class Server:
    """An ASGI server.

    Attributes:
        name: Its name, which is that of its command.
        drains_by_signal: Whether a SIGTERM reaches the process in which the app runs, so that a Drain can delay it.
        has_lifespan: Whether it sends the app a lifespan. Without one a listener opens with the first request.
        finishes_requests: Whether it finishes the requests that it has accepted, before it stops.
        serves_in_worker: Whether the app runs in a child of the process that a supervisor starts.
    """

    name: str
    drains_by_signal: bool = True
    has_lifespan: bool = True
    finishes_requests: bool = True
    serves_in_worker: bool = False


UVICORN = Server("uvicorn")
GUNICORN = Server("gunicorn", serves_in_worker=True)
GRANIAN = Server("granian", serves_in_worker=True)
HYPERCORN = Server("hypercorn", drains_by_signal=False, serves_in_worker=True)
DAPHNE = Server("daphne", has_lifespan=False, finishes_requests=False)
# With this option the process that gets the signal serves by itself.
HYPERCORN_ALONE = Server("hypercorn")

SERVERS = {server.name: server for server in (UVICORN, GUNICORN, GRANIAN, HYPERCORN, DAPHNE)}


def reached_by_signals(server: Server) -> Server:
    """Return the server as a platform without hooks has to start it: so that a SIGTERM reaches the app."""
    return HYPERCORN_ALONE if server is HYPERCORN else server


def command(server: Server, target: str, host: str, port: int, *, delay: float, longest_request: float) -> list[str]:
    """Return the command that starts the app.

    Args:
        server: The server.
        target: The app, as in `module:app` or `module:factory()`.
        host: Address to listen on.
        port: Port to listen on.
        delay: Seconds of the drain.
        longest_request: Seconds that the server gives the requests that it has accepted.
    """
    is_factory = target.endswith("()")
    plain = target.removesuffix("()")
    bind = at(host, port)
    seconds = str(ceil(longest_request))
    # gunicorn and granian kill a worker that is still there that long after the signal, whatever its drain does.
    with_drain = str(ceil(delay + longest_request))
    factory = ["--factory"] if is_factory else []
    if server is UVICORN:
        return [
            "uvicorn", *factory, plain, "--host", host, "--port", str(port), "--timeout-graceful-shutdown", seconds,
        ]  # fmt: skip
    if server is GRANIAN:
        return [
            "granian", *factory, plain, "--interface", "asgi", "--host", host, "--port", str(port),
            "--workers-kill-timeout", with_drain,
        ]  # fmt: skip
    if server is GUNICORN:
        return ["gunicorn", target, "--worker-class", "asgi", "--bind", bind, "--graceful-timeout", with_drain]
    if server is DAPHNE:
        return ["daphne", "--bind", host, "--port", str(port), target]
    workers = ["--workers", "0"] if server is HYPERCORN_ALONE else []
    return ["hypercorn", target, *workers, "--bind", bind, "--graceful-timeout", seconds]
