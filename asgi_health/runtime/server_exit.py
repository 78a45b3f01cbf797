"""Whether the server has begun to stop, where it shows that."""

import signal


def server_stops() -> bool:
    """Return whether uvicorn has begun to stop: on its own, or as a worker of gunicorn.

    It waits for open requests, without a limit, before it says so to the app. Its handler of SIGINT is a method of the
    server, which has the flag `should_exit`. It is only read here. SIGINT, because a Drain replaces the handler of
    SIGTERM. Other servers show nothing.
    """
    server = getattr(signal.getsignal(signal.SIGINT), "__self__", None)
    return getattr(server, "should_exit", False) is True
