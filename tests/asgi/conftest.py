"""Fixtures for the tests of the middleware."""

import logging
from collections.abc import Callable, Iterator

import anyio
import pytest

from asgi_health.asgi.types import App

from ..support import virtual_time
from ..support.asgi_caller import ask
from ..support.lifespan_driver import LifespanDriver
from ..support.recording_checks import Uncancellable

Warnings = Callable[..., list[str]]


@pytest.fixture
def uncancellable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Uncancellable]:
    """A check that ignores its cancellation until the test has ended."""
    monkeypatch.setattr(virtual_time, "DEADLOCK", 1.0)  # its loop has nothing else to wait for, on any machine
    check = Uncancellable()
    yield check
    check.released = True  # a coroutine that ignores GeneratorExit would block pytest


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> Warnings:
    """Start an app twice, probe it, and return the warnings in the log."""

    def start(app: App, *, lifespan: bool = True) -> list[str]:
        async def main() -> None:
            for _ in range(2):
                server = LifespanDriver(app)
                async with anyio.create_task_group() as group:
                    if lifespan:
                        group.start_soon(server.run)
                        await server.startup()
                    await ask(app, "/livez")
                    await ask(app, "/readyz")
                    if lifespan:
                        await server.shutdown()

        anyio.run(main)
        return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]

    return start
