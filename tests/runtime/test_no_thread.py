"""A system that gives no thread: the app does not start half, and says why."""

import anyio
import pytest

from asgi_health import HealthMiddleware, Listener
from asgi_health.runtime.watchdog.loop_heartbeat import Heartbeat

from ..apps import plain_app
from ..support.lifespan_driver import Server


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("listener", [None, Listener("127.0.0.1:0")])
def test_without_a_thread_the_startup_fails_in_words(
    backend: str, listener: Listener | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refused)
    stopped: list[Heartbeat] = []
    stop = Heartbeat.stop

    def noted(self: Heartbeat) -> None:
        stopped.append(self)
        stop(self)

    monkeypatch.setattr(Heartbeat, "stop", noted)
    server = Server(HealthMiddleware(plain_app, listener=listener))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    assert server.heard == ["startup.failed"]
    assert len(stopped) == 1
