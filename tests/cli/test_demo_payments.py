"""The simulated payment service releases its callers as its faults say."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from asgi_health.cli.demo.dependencies import Payments

Scene = Callable[[Payments, "asyncio.Task[None]"], Awaitable[None]]


async def settle() -> None:
    """Run all tasks until they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def cancelled_while_it_hangs(payments: Payments, call: "asyncio.Task[None]") -> None:
    call.cancel()
    await settle()
    assert call.cancelled()


async def cancelled_while_it_is_stubborn(payments: Payments, call: "asyncio.Task[None]") -> None:
    payments.stubborn = True
    call.cancel()
    await settle()
    assert not call.done()
    payments.hangs = payments.stubborn = False
    await call


async def repaired_from_one_of_two_faults(payments: Payments, call: "asyncio.Task[None]") -> None:
    payments.stubborn = True
    payments.hangs = False
    await settle()
    assert not call.done()
    payments.stubborn = False
    await call


@pytest.mark.parametrize(
    "scene",
    [cancelled_while_it_hangs, cancelled_while_it_is_stubborn, repaired_from_one_of_two_faults],
    ids=lambda it: it.__name__,
)
def test_a_caller_is_released_only_when_the_fault_allows_it(scene: Scene) -> None:
    async def play() -> None:
        payments = Payments()
        await payments.ping()
        payments.hangs = True
        call = asyncio.create_task(payments.ping())
        await settle()
        assert not call.done()
        await scene(payments, call)

    asyncio.run(asyncio.wait_for(play(), 10.0))
