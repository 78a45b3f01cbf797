"""A system that gives no thread: the startup fails as a whole, with the reason."""

import threading
from typing import NoReturn

import anyio
import pytest

from asgi_health import HealthMiddleware, Listener

from ..apps import plain_app
from ..support.lifespan_driver import LifespanDriver, tasks_and_threads
from ..support.waiting import wait_until_async


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("listener", [None, Listener("127.0.0.1:0")])
def test_without_a_thread_the_startup_fails_and_no_task_is_left(
    backend: str, listener: Listener | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(thread: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    server = LifespanDriver(HealthMiddleware(plain_app, listener=listener))

    async def main() -> None:
        before = tasks_and_threads()
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
            group.cancel_scope.cancel()
        await wait_until_async(lambda: tasks_and_threads() <= before, "its tasks have ended")

    anyio.run(main, backend=backend)
    assert server.received == ["startup.failed"]
    assert "can't start new thread" in caplog.text
