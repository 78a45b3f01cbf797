"""The pretended payment service waits, and lets go of who waits for it, as its faults say."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from asgi_health.cli.demo.dependencies import Payments

Scene = Callable[[Payments, "asyncio.Task[None]"], Awaitable[None]]


async def settle() -> None:
    """Let every task go as far as it gets."""
    for _ in range(5):
        await asyncio.sleep(0)


async def cancelled_while_it_hangs(payments: Payments, asking: "asyncio.Task[None]") -> None:
    asking.cancel()
    await settle()
    assert asking.cancelled()


async def cancelled_while_it_is_stubborn(payments: Payments, asking: "asyncio.Task[None]") -> None:
    payments.stubborn = True
    asking.cancel()
    await settle()
    assert not asking.done()
    payments.hangs = payments.stubborn = False
    await asking


async def mended_in_one_way_of_two(payments: Payments, asking: "asyncio.Task[None]") -> None:
    payments.stubborn = True
    payments.hangs = False
    await settle()
    assert not asking.done()
    payments.stubborn = False
    await asking


@pytest.mark.parametrize(
    "scene",
    [cancelled_while_it_hangs, cancelled_while_it_is_stubborn, mended_in_one_way_of_two],
    ids=lambda it: it.__name__,
)
def test_who_waits_is_let_go_of_when_it_should_be(scene: Scene) -> None:
    async def play() -> None:
        payments = Payments()
        await payments.ping()
        payments.hangs = True
        asking = asyncio.create_task(payments.ping())
        await settle()
        assert not asking.done()
        await scene(payments, asking)

    asyncio.run(asyncio.wait_for(play(), 10.0))
