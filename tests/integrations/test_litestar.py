"""Litestar: the plugin, with Litestar's own hooks around it, and the listener that answers while the app starts."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from litestar import Litestar, get
from litestar.config.cors import CORSConfig

from asgi_health import Check, Health, HealthMiddleware, Listener
from asgi_health.integrations.litestar import HealthPlugin
from asgi_health.testing import assert_not_ready, assert_ready, health_of, lifespan, probe, settled

from ..servers.wire import ask
from ..support.waiting import wait_until_async

Hook = Callable[[], Awaitable[None]]


@get("/hello")
async def hello() -> str:
    return "hello"


def make_app(plugin: HealthPlugin, log: list[str], *, startup: Hook | None = None, **options: Any) -> Any:
    """Return an app that logs its hooks: a lifespan manager, and the hooks of startup and shutdown."""

    @asynccontextmanager
    async def manager(_: Litestar) -> AsyncGenerator[None]:
        log.append("manager")
        yield
        log.append("manager ends")

    async def on_startup() -> None:
        log.append("startup")
        if startup is not None:
            await startup()

    async def on_shutdown() -> None:
        log.append("shutdown")

    return Litestar(
        [hello],
        lifespan=[manager],
        on_startup=[on_startup],
        on_shutdown=[on_shutdown],
        plugins=[plugin],
        openapi_config=None,
        logging_config=None,
        **options,
    )


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("options", [{}, {"cors_config": CORSConfig()}], ids=["plain", "cors"])
def test_probes_are_answered_and_the_checks_run_between_the_startup_and_the_shutdown(
    backend: str, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []

    async def database() -> None:
        log.append("check")

    plugin = HealthPlugin([Check("database", database, interval=0.01)])
    app = make_app(plugin, log, **options)

    async def main() -> None:
        for _ in range(2):  # lifespans, one after the other
            log.clear()
            async with lifespan(app):
                await settled(plugin.health)
                await wait_until_async(lambda: log.count("check") > 2, "the checks run in the background")
                assert (await probe(app, "/readyz")).body == b'{"status":"pass"}'
                assert (await probe(app, "/hello")).body == b"hello"
                assert (await probe(app, "/missing")).status == 404
            assert (await probe(app, "/readyz")).status == 404
            assert [each for each in log if each != "check"] == [
                *("manager", "startup"),
                *("manager ends", "shutdown"),
            ]
            assert log.index("check") > log.index("startup")
            assert log[log.index("manager ends") :].count("check") == 0

    anyio.run(main, backend=backend)
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_the_listener_answers_while_the_app_starts(tmp_path: Path) -> None:
    """It is live and not ready. No ASGI app can say so itself: servers send no request before the startup has ended."""
    socket = tmp_path / "s"
    answers: list[tuple[str, int]] = []

    async def startup() -> None:
        for path in ("/livez", "/readyz", "/startupz"):
            reply = await anyio.to_thread.run_sync(ask, str(socket), "GET", path)
            answers.append((path, reply.status))

    plugin = HealthPlugin(listener=Listener(str(socket)))
    app = make_app(plugin, [], startup=startup)

    async def main() -> None:
        async with lifespan(app):
            assert answers == [("/livez", 200), ("/readyz", 503), ("/startupz", 503)]
            assert_ready(plugin.health)
        assert not socket.exists()

    anyio.run(main)


def test_a_startup_that_fails_closes_the_listener_and_the_app_is_not_ready(tmp_path: Path) -> None:
    socket = tmp_path / "s"

    async def startup() -> None:
        raise ConnectionError("no database")

    plugin = HealthPlugin(listener=Listener(str(socket)))

    async def main() -> None:
        with pytest.raises(RuntimeError, match="no database"):
            async with lifespan(make_app(plugin, [], startup=startup)):
                pass
        assert not socket.exists()
        assert_not_ready(plugin.health)

    anyio.run(main)


def test_an_address_that_cannot_be_bound_fails_the_startup_before_all_hooks_of_it(tmp_path: Path) -> None:
    log: list[str] = []
    plugin = HealthPlugin(listener=Listener(str(tmp_path / "missing" / "s")))

    async def main() -> None:
        with pytest.raises(RuntimeError, match="missing/s"):
            async with lifespan(make_app(plugin, log)):
                pass

    anyio.run(main)
    assert log == ["shutdown"]  # as Litestar does whenever a startup fails


def test_a_health_that_another_app_uses_fails_the_startup() -> None:
    health = Health()

    async def main() -> None:
        async with lifespan(make_app(HealthPlugin(health), [])):
            with pytest.raises(RuntimeError, match="Health"):
                async with lifespan(make_app(HealthPlugin(health), [])):
                    pass

    anyio.run(main)


def test_a_plugin_serves_one_app_at_a_time_and_the_first_goes_on() -> None:
    plugin = HealthPlugin()

    async def main() -> None:
        async with lifespan(first := make_app(plugin, [])):
            with pytest.raises(RuntimeError, match="HealthPlugin: another app with this plugin runs"):
                async with lifespan(make_app(plugin, [])):
                    pass
            assert (await probe(first, "/readyz")).status == 200
            assert (await probe(first, "/hello")).status == 200

    anyio.run(main)


def test_a_route_that_a_health_path_hides_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    @get("/livez")
    async def own() -> str:
        return "own"

    app: Any = Litestar([own], plugins=[HealthPlugin()], openapi_config=None, logging_config=None)

    async def main() -> None:
        async with lifespan(app):
            pass

    anyio.run(main)
    assert "the health path /livez hides the app's route /livez" in caplog.text


def test_the_health_of_the_app_is_found() -> None:
    plugin = HealthPlugin()
    assert health_of(make_app(plugin, [])) is plugin.health
    assert isinstance(plugin.middleware, HealthMiddleware)


def test_a_wrong_option_is_refused_when_the_plugin_is_made() -> None:
    with pytest.raises(ValueError, match="slow_loop"):
        HealthPlugin(slow_loop=-1.0)
