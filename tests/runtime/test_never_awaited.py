"""A check that forgets an `await` has checked nothing: it fails, and its message names the line."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest

from asgi_health import Check, Status, unhealthy
from asgi_health.testing import check_once

from ..servers.process import ROOT


class Pool:
    async def ping(self) -> None: ...


pool = Pool()


async def dropped_at_once() -> None:
    pool.ping()  # type: ignore[unused-coroutine]


async def dropped_at_the_end() -> None:
    _ = pool.ping()


async def dropped_after_a_pause() -> None:
    await anyio.sleep(0.001)
    pool.ping()  # type: ignore[unused-coroutine]


async def dropped_below() -> None:
    await dropped_at_once()


def dropped_in_a_thread() -> None:
    pool.ping()  # type: ignore[unused-coroutine]


def dropped_in_a_thread_and_later() -> Any:
    pool.ping()  # type: ignore[unused-coroutine]
    return dropped_at_once()


class Object:
    async def __call__(self) -> None:
        pool.ping()  # type: ignore[unused-coroutine]


FORGETFUL: dict[Callable[[], object], list[str]] = {
    dropped_at_once: ["dropped_at_once"],
    dropped_at_the_end: ["dropped_at_the_end"],
    dropped_after_a_pause: ["dropped_after_a_pause"],
    dropped_below: ["dropped_at_once"],
    dropped_in_a_thread: ["dropped_in_a_thread"],
    dropped_in_a_thread_and_later: ["dropped_in_a_thread_and_later", "dropped_at_once"],
    partial(dropped_at_once): ["dropped_at_once"],
    Object(): ["__call__"],
}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("forgetful", FORGETFUL)
def test_a_forgotten_await_fails_and_the_message_names_the_line(forgetful: Callable[[], object], backend: str) -> None:
    result = anyio.run(check_once, Check("a", forgetful), backend=backend)
    assert result.status is Status.UNHEALTHY
    messages = result.message.split("; ")
    assert [each.partition(", in ")[2] for each in messages] == [
        f"{function}: Pool.ping() was never awaited" for function in FORGETFUL[forgetful]
    ]
    assert all(each.startswith(f"{__file__}, line ") for each in messages)


@pytest.mark.parametrize("run", [lambda: pool.ping(), pool.ping, lambda: None])  # noqa: PLW0108  a plain function
def test_a_coroutine_that_is_awaited_passes(run: Callable[[], object]) -> None:
    assert asyncio.run(check_once(Check("a", run))).status is Status.HEALTHY


def test_an_exception_of_the_check_takes_precedence() -> None:
    async def raises() -> None:
        pool.ping()  # type: ignore[unused-coroutine]
        raise LookupError("no row")

    assert asyncio.run(check_once(Check("a", raises))) == unhealthy("LookupError: no row")


def test_python_still_warns_of_coroutines_that_other_code_forgets() -> None:
    async def main() -> None:
        await asyncio.gather(check_once(Check("a", dropped_at_once)), check_once(Check("b", pool.ping)))
        with pytest.warns(RuntimeWarning, match=r"Pool\.ping.* was never awaited"):
            pool.ping()  # type: ignore[unused-coroutine]

    asyncio.run(main())
    assert sys.get_coroutine_origin_tracking_depth() == 0


def test_python_warns_of_a_coroutine_that_a_task_forgets_after_the_check_has_ended() -> None:
    async def forget_later(over: asyncio.Event) -> None:
        await over.wait()
        pool.ping()  # type: ignore[unused-coroutine]

    async def main() -> None:
        over = asyncio.Event()
        tasks: list[asyncio.Task[None]] = []

        async def starts_a_task() -> None:
            tasks.append(asyncio.create_task(forget_later(over)))

        assert (await check_once(Check("a", starts_a_task))).status is Status.HEALTHY
        over.set()
        with pytest.warns(RuntimeWarning, match=r"Pool\.ping.* was never awaited"):
            await tasks[0]

    asyncio.run(main())


SERVED = f"""
import asyncio
from asgi_health import Check, HealthMiddleware
from asgi_health.testing import lifespan, probe, settled
from {__name__} import Check, dropped_at_once, dropped_in_a_thread
async def app(scope, receive, send): await receive()
app = HealthMiddleware(app, [Check("a", dropped_at_once), Check("b", dropped_in_a_thread)])
async def main():
    async with app.health.running():
        await settled(app.health)
        print(*(each.state.result.message.rpartition(", in ")[2] for each in app.health.report().checks), sep="; ")
asyncio.run(main())
"""


@pytest.mark.parametrize(("development", "message"), [(True, "Pool.ping() was never awaited"), (False, "")])
def test_in_development_mode_it_fails_in_a_running_app_too(development: bool, message: str) -> None:
    options = ["-X", "dev"] if development else []
    command = [sys.executable, *options, "-W", "ignore::RuntimeWarning", "-c", SERVED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    expected = (
        "; ".join(f"{name}: {message}" for name in ("dropped_at_once", "dropped_in_a_thread")) if message else "; "
    )
    assert done.stdout.strip() == expected.strip()
