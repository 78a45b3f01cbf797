"""The endpoint of the maintenances at the listener: also while the event loop of the app is blocked."""

import json
from typing import Any

import anyio
import anyio.to_thread
import pytest

from asgi_health import Check, Health, HealthMiddleware, Listener, Paths, bearer_token

from ..servers.wire import Address, ask
from ..support.app_thread import LOOPS, Blocked, running_app
from ..support.lifespan_apps import lifespan_app
from ..support.waiting import wait_until

PATH = "/health/maintenance"
PATHS = Paths(maintenance=PATH)
TOKEN = [("authorization", "Bearer open-sesame")]
ALLOW = bearer_token("open-sesame")


def send(address: Address, method: str, query: str = "", body: bytes = b"") -> list[dict[str, Any]]:
    answer = ask(address, method, f"{PATH}{query}", TOKEN, body)
    assert answer.status == 200
    found: list[dict[str, Any]] = json.loads(answer.body)["maintenances"]
    return found


@pytest.mark.parametrize("loop", LOOPS)
def test_a_maintenance_begins_and_ends_while_the_loop_is_blocked(path: str, loop: str) -> None:
    health = Health([Check("db", lambda: True, interval=3600.0)])
    app = HealthMiddleware(lifespan_app, health, paths=PATHS, allow_maintenance=ALLOW, listener=Listener(path))
    with running_app(app, loop) as portal:
        wait_until(lambda: ask(path, "GET", "/readyz").status == 200, "it is ready")
        with Blocked(portal):
            assert ask(path, "POST", f"{PATH}?seconds=60").status == 404
            (begun,) = send(path, "POST", "?seconds=60&reason=upgrade", b"a body is read and ignored")
            assert (begun["check"], begun["reason"]) == (None, "upgrade")
            assert ask(path, "GET", "/readyz").body == b'{"status":"fail","notes":["maintenance"]}'
            send(path, "POST", "?check=db&seconds=60")
            assert [each["check"] for each in send(path, "DELETE")] == ["db"]
            assert b"maintenance" not in ask(path, "GET", "/readyz").body


def test_a_program_without_a_server_has_it_too(path: str) -> None:
    health = Health()

    async def main() -> None:
        async with health.running(listener=Listener(path), paths=PATHS, allow_maintenance=ALLOW):
            await anyio.to_thread.run_sync(send, path, "POST", "?seconds=60")
            assert health.report().maintenance is not None

    anyio.run(main)
