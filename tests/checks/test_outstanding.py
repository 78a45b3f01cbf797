"""A request that outlives the run that made it."""

import asyncio
import gc
from typing import Any

import pytest

from asgi_health.checks._support.outstanding import OutstandingRequest

pytestmark = pytest.mark.anyio


async def test_a_request_that_fails_after_its_run_logs_nothing() -> None:
    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: logged.append(context))
    lost = asyncio.Event()

    async def request() -> None:
        await lost.wait()
        raise ConnectionResetError

    outstanding = OutstandingRequest()
    run = asyncio.create_task(outstanding.send(request, lambda: None))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    run.cancel()
    await asyncio.wait([run])
    lost.set()
    for _ in range(5):
        await asyncio.sleep(0)
    del outstanding, run
    gc.collect()
    asyncio.get_running_loop().set_exception_handler(None)
    assert logged == []
