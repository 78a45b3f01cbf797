"""A system that gives no thread: the startup fails as a whole, with the reason."""

import anyio
import pytest

from asgi_health import HealthMiddleware, Listener
from asgi_health.runtime.watchdog.loop_heartbeat import LoopHeartbeat

from ..apps import plain_app
from ..support.lifespan_driver import LifespanDriver


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("listener", [None, Listener("127.0.0.1:0")])
def test_without_a_thread_the_startup_fails_and_its_heartbeat_is_stopped(
    backend: str, listener: Listener | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refused)
    stopped: list[LoopHeartbeat] = []
    stop = LoopHeartbeat.stop

    def stop_and_record(self: LoopHeartbeat) -> None:
        stopped.append(self)
        stop(self)

    monkeypatch.setattr(LoopHeartbeat, "stop", stop_and_record)
    server = LifespanDriver(HealthMiddleware(plain_app, listener=listener))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    assert server.received == ["startup.failed"]
    assert len(stopped) == 1
