"""A forked child process that goes on with the memory of its parent."""

import asyncio
import multiprocessing
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from asgi_health import Drain, Health, HealthMiddleware, Listener, ProbeTransition, Transition

from ..support.asgi_caller import ask, echo_nothing
from ..support.services import stop_services


def sleep(up: Connection) -> None:
    up.send(True)
    time.sleep(60.0)


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_ends_at_sigterm() -> None:
    """Only its parent drains: the child has no monitor thread that would pass the signal on."""

    async def main() -> int | None:
        async with Health().running(drain=Drain(delay=300.0)):
            fork = multiprocessing.get_context("fork")
            here, there = fork.Pipe()
            child = fork.Process(target=sleep, args=(there,))
            child.start()
            here.recv()  # before that Python forgets a signal: it clears those that a fork has inherited
            child.terminate()
            await asyncio.to_thread(child.join, 10.0)
            code = child.exitcode
            child.kill()
            return code

    assert asyncio.run(main()) == -signal.SIGTERM


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_forked_child_that_runs_the_health_delivers_to_its_subscribers(kind: str) -> None:
    """It has a copy of the threads' and the tasks' objects, which look alive and are not."""
    health = Health()
    received: list[Transition] = []

    async def receive(transition: Transition) -> None:
        received.append(transition)

    async def run() -> None:
        async with health.running():
            pass

    def child(up: Connection) -> None:
        received.clear()
        asyncio.run(run())
        up.send([each.cause for each in received if isinstance(each, ProbeTransition)][-1])

    async def main() -> str:
        async with health.running():
            fork = multiprocessing.get_context("fork")
            here, there = fork.Pipe()
            process = fork.Process(target=child, args=(there,))
            process.start()
            cause: str = await asyncio.to_thread(here.recv)
            process.join()
            return cause

    health.subscribe(receive if kind == "async" else received.append)
    assert asyncio.run(main()) == "stopped"


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_the_end_of_a_forked_child_leaves_the_socket_of_its_parent(tmp_path: Path) -> None:
    """A child that leaves by `sys.exit` ends the services in its copy of the event loop."""
    path = tmp_path / "listener"
    app = HealthMiddleware(echo_nothing, listener=Listener(str(path)))

    def child(up: Connection) -> None:
        stop_services(app)
        up.send(path.exists())

    async def main() -> bool:
        await ask(app)
        fork = multiprocessing.get_context("fork")
        here, there = fork.Pipe()
        process = fork.Process(target=child, args=(there,))
        process.start()
        exists = bool(await asyncio.to_thread(here.recv))
        await asyncio.to_thread(process.join)
        stop_services(app)
        return exists

    assert asyncio.run(main())
    assert not path.exists()
