"""A second listener at the same address in one process is refused: each probe would reach one of the two."""

import logging
import socket
from collections.abc import Iterator

import anyio
import anyio.to_thread
import pytest

from asgi_health import Health, HealthMiddleware, Listener
from asgi_health.listener.interface import CannotListen

from ..servers.wire import ask as ask_at
from ..support.asgi_caller import ask, echo_nothing
from ..support.lifespan_apps import lifespan_app
from ..support.lifespan_driver import LifespanDriver, serving
from ..support.services import stop_services

pytestmark = pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="the system refuses it by itself")

REFUSED = "another listener of this process uses it"


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    """A port that the system gives to no other test: bound, and shared with every socket that allows it."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()


def at(address: tuple[str, int], host: str = "") -> Listener:
    return Listener(f"{host or address[0]}:{address[1]}")


async def status(address: tuple[str, int]) -> int:
    return await anyio.to_thread.run_sync(lambda: ask_at(address, "GET", "/livez").status)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_second_app_with_the_listener_of_another_does_not_start(host: str, address: tuple[str, int]) -> None:
    async def main() -> None:
        async with serving(HealthMiddleware(lifespan_app, listener=at(address))):
            server = LifespanDriver(HealthMiddleware(lifespan_app, listener=at(address, host)))
            server.send("startup")
            await server.run()
            assert server.received == ["startup.failed"]
            assert await status(address) == 200
            with pytest.raises(CannotListen, match=REFUSED):
                async with Health().running(listener=at(address)):
                    raise AssertionError("it runs")
            assert await status(address) == 200
        async with serving(HealthMiddleware(lifespan_app, listener=at(address))):  # the first has released it
            assert await status(address) == 200

    anyio.run(main)


@pytest.mark.parametrize("hosts", [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1"), ("[::]", "127.0.0.1")])
def test_a_listener_at_the_wildcard_address_uses_each_address_of_the_host(
    hosts: tuple[str, str], address: tuple[str, int]
) -> None:
    async def main() -> None:
        first, second = (at(address, host) for host in hosts)
        async with Health().running(listener=first):
            with pytest.raises(CannotListen, match=REFUSED):
                async with Health().running(listener=second):
                    raise AssertionError("it runs")

    anyio.run(main)


def test_two_middlewares_around_one_app_with_the_same_listener_do_not_start(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    app = HealthMiddleware(HealthMiddleware(lifespan_app, listener=at(address)), listener=at(address))

    async def main() -> list[str]:
        server = LifespanDriver(app)
        server.send("startup")
        await server.run()
        return server.received

    assert anyio.run(main) == ["startup.failed"]
    assert REFUSED in caplog.text


def test_without_lifespan_the_second_app_serves_without_listener_and_logs_it(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    apps = [HealthMiddleware(echo_nothing, listener=at(address)) for _ in range(2)]

    async def main() -> None:
        for app in apps:
            assert (await ask(app, "/ordinary")).from_app
        assert await status(address) == 200
        for app in apps:
            stop_services(app)

    anyio.run(main)
    assert [REFUSED in each.getMessage() for each in caplog.records if each.levelno == logging.ERROR] == [True]


def test_two_listeners_at_port_0_get_different_ports() -> None:
    async def main() -> None:
        async with Health().running(listener=Listener("127.0.0.1:0")):
            async with Health().running(listener=Listener("127.0.0.1:0")):
                pass

    anyio.run(main)
