"""Two listeners at one address in one process: refused, and each probe has one who answers it."""

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
from ..support.lifespan_apps import speaks
from ..support.lifespan_driver import Server, serving

pytestmark = pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="the system refuses it by itself")

REFUSED = "another listener of this process has it"


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    """A port that no other test is given meanwhile: bound, and shared with every socket that asks to share it."""
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
        async with serving(HealthMiddleware(speaks, listener=at(address))):
            server = Server(HealthMiddleware(speaks, listener=at(address, host)))
            server.say("startup")
            await server.run()
            assert server.heard == ["startup.failed"]
            assert await status(address) == 200
            with pytest.raises(CannotListen, match=REFUSED):
                async with Health().running(listener=at(address)):
                    raise AssertionError("it runs")
            assert await status(address) == 200
        async with serving(HealthMiddleware(speaks, listener=at(address))):  # the first has let go of it
            assert await status(address) == 200

    anyio.run(main)


@pytest.mark.parametrize("hosts", [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1"), ("[::]", "127.0.0.1")])
def test_one_that_listens_at_all_addresses_of_the_host_has_each_of_them(
    hosts: tuple[str, str], address: tuple[str, int]
) -> None:
    async def main() -> None:
        first, second = (at(address, host) for host in hosts)
        async with Health().running(listener=first):
            with pytest.raises(CannotListen, match=REFUSED):
                async with Health().running(listener=second):
                    raise AssertionError("it runs")

    anyio.run(main)


def test_two_layers_with_one_listener_do_not_start(address: tuple[str, int], caplog: pytest.LogCaptureFixture) -> None:
    app = HealthMiddleware(HealthMiddleware(speaks, listener=at(address)), listener=at(address))

    async def main() -> list[str]:
        server = Server(app)
        server.say("startup")
        await server.run()
        return server.heard

    assert anyio.run(main) == ["startup.failed"]
    assert REFUSED in caplog.text


def test_without_lifespan_the_second_goes_without_and_says_so(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    apps = [HealthMiddleware(echo_nothing, listener=at(address)) for _ in range(2)]

    async def main() -> None:
        for app in apps:
            assert (await ask(app, "/ordinary")).from_app
        assert await status(address) == 200
        for app in apps:
            app._sidecar.attached.stop()

    anyio.run(main)
    assert [REFUSED in each.getMessage() for each in caplog.records if each.levelno == logging.ERROR] == [True]


def test_ports_that_the_system_chooses_are_two() -> None:
    async def main() -> None:
        async with Health().running(listener=Listener("127.0.0.1:0")):
            async with Health().running(listener=Listener("127.0.0.1:0")):
                pass

    anyio.run(main)
