"""The middleware and the listener answer with one router: one policy and one cache of details for both."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from asgi_health import Check, Health, HealthMiddleware, Listener
from asgi_health.asgi import details_cache
from asgi_health.asgi.types import Scope
from asgi_health.core.report import Report
from asgi_health.formats.answer import Answer
from asgi_health.formats.health_json import health_json
from asgi_health.formats.service import ServiceInfo
from asgi_health.testing import lifespan, settled

from ..servers.wire import ask as ask_at
from ..support.asgi_caller import ask
from ..support.known_state import Clock
from ..support.lifespan_apps import lifespan_app

Ask = Callable[[], Awaitable[bytes]]


async def run_with_both(app: HealthMiddleware, address: Path, main: Callable[[Ask, Ask], Awaitable[None]]) -> None:
    """Run the app, and call `main` with a function that asks the app for details, and one that asks the listener."""

    async def ask_app() -> bytes:
        return (await ask(app, "/health")).body

    async def ask_listener() -> bytes:
        return (await anyio.to_thread.run_sync(ask_at, str(address), "GET", "/health")).body

    async with lifespan(app):
        await settled(app.health)
        await main(ask_app, ask_listener)


@pytest.mark.parametrize("first", ["app", "listener"])
def test_a_policy_that_raises_is_logged_once_although_both_call_it(
    first: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls = 0

    def policy(scope: Scope) -> bool:
        nonlocal calls
        calls += 1
        raise LookupError("the policy's own error")

    address = tmp_path / "listener"
    app = HealthMiddleware(lifespan_app, {"db": passes}, details=policy, listener=Listener(str(address)))

    async def main(ask_app: Ask, ask_listener: Ask) -> None:
        for each in (ask_app, ask_listener) if first == "app" else (ask_listener, ask_app):
            assert await each() == b'{"status":"pass"}'

    with caplog.at_level(logging.WARNING, "asgi_health"):
        anyio.run(run_with_both, app, address, main)
    assert calls == 2
    assert [each.getMessage() for each in caplog.records] == [
        "the policy of details raised: the request is refused (logged once)"
    ]


def test_details_are_rendered_once_per_change_although_both_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[Report] = []

    def render(report: Report, service: ServiceInfo | None, *, wall: float) -> Answer:
        rendered.append(report)
        return health_json(report, service, wall=wall)

    monkeypatch.setattr(details_cache, "health_json", render)
    address = tmp_path / "listener"
    # On this clock no answer expires and no check runs again, so that only the changes of the test count.
    health = Health([Check("db", passes)], clock=Clock())
    app = HealthMiddleware(lifespan_app, health, details=True, listener=Listener(str(address)))

    async def main(ask_app: Ask, ask_listener: Ask) -> None:
        for name in ("first", "second", "third"):
            health.add(Check(name, passes, interval=3600.0))
            await settled(health)
            rendered.clear()
            answers = [await each() for each in (ask_app, ask_listener, ask_listener, ask_app)]
            assert len(rendered) == 1
            assert len(set(answers)) == 1
            assert name.encode() in answers[0]

    anyio.run(run_with_both, app, address, main)


async def passes() -> None:
    return None
