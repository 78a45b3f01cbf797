"""What goes on beside an app when its lives do not end as they should."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from asgi_health import Drain, Health
from asgi_health.asgi.beside import beside
from asgi_health.asgi.paths import Paths


@pytest.fixture
def got() -> Iterator[list[int]]:
    """A program's own handler of SIGTERM: what it got."""
    got: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
    yield got
    signal.signal(signal.SIGTERM, before)


def test_a_block_that_ends_within_the_delay_hands_the_signal_on(got: list[int]) -> None:
    async def main() -> None:
        async with Health().running(drain=Drain(delay=3600.0)):
            signal.raise_signal(signal.SIGTERM)
            assert got == []

    asyncio.run(main())
    assert got == [signal.SIGTERM]


def test_a_block_without_a_signal_raises_none(got: list[int]) -> None:
    async def main() -> None:
        async with Health().running(drain=Drain(delay=3600.0)):
            pass

    asyncio.run(main())
    assert got == []


@pytest.mark.usefixtures("got")
def test_a_former_life_that_is_collected_late_leaves_the_present_one_alone() -> None:
    sidecar = beside(
        Health(), paths=Paths(), details=False, service=None, drain=Drain(delay=3600.0), listener=None, slow_loop=0
    )
    handler = signal.getsignal(signal.SIGTERM)

    async def begin() -> object:
        life = sidecar.begin()
        sidecar.started()
        return life

    async def second(former: object) -> None:
        life = await begin()
        sidecar.ended(former)
        assert signal.getsignal(signal.SIGTERM) is not handler
        await sidecar.stopping()
        sidecar.ended(life)

    former = asyncio.run(begin())
    asyncio.run(second(former))
    assert signal.getsignal(signal.SIGTERM) is handler
