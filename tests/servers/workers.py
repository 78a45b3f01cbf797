"""Which servers differ in a drain, and waiting for all workers of one."""

from benchmarks.rolling.servers import UVICORN_WORKERS

from ..support.waiting import wait_until
from .process import Running, wait_for_boot

PARSERS = ("uvicorn-httptools-asyncio", "uvicorn-zttp-asyncio")
"""Servers that differ from another one in the parser of HTTP alone, which changes nothing in a drain."""


def wait_until_ready(running: Running) -> None:
    """Wait for every worker: one that still imports the app has no handlers yet."""
    wait_for_boot(running)
    running.wait_for_status("/readyz", 200)
    if running.server is UVICORN_WORKERS:
        wait_until(lambda: running.log.count("Application startup complete") == 2, lambda: f"both serve\n{running.log}")


def wait_until_draining(running: Running) -> None:
    """Wait for every worker: the signal reaches one after the other."""
    workers = 2 if running.server is UVICORN_WORKERS else 1
    wait_until(lambda: running.log.count("SIGTERM: draining") >= workers, lambda: f"it drains\n{running.log}")
