"""A question that outlives the run which asked it."""

import asyncio
import gc
from typing import Any

import pytest

from asgi_health.checks._support.outstanding import Outstanding

pytestmark = pytest.mark.anyio


async def test_a_question_that_fails_after_its_run_is_nothing_to_complain_about() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    lost = asyncio.Event()

    async def question() -> None:
        await lost.wait()
        raise ConnectionResetError

    outstanding = Outstanding()
    run = asyncio.create_task(outstanding.ask(question, lambda: None))
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
    assert complaints == []
