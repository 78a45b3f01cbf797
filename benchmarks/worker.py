"""The process of one contender: `python -m benchmarks.worker KIND ...`, questions on stdin, answers on stdout."""

import asyncio
import gc
import json
import resource
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic, process_time
from typing import Any

from .contenders import LIMIT, Contender, find_contender
from .dependency import Dependency
from .harness import Lifespan, allocated, ask, side_by_side
from .setup import OTHER, App, Setup

Question = dict[str, Any]
Answer = dict[str, Any]


class InProcess:
    """Answer the questions of `in_process` about one contender."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender
        self._dependency = Dependency()
        setup = Setup(self._dependency.checks(1), bare=True)
        self._limit = LIMIT.make(Setup(bare=True))
        self._app = contender.make(setup)
        self._verbose = (
            contender.make(Setup(self._dependency.checks(1), bare=True, details=True)) if contender.verbose else None
        )
        self._base = contender.make_base(setup)
        # No check is due for an hour: every run is caused by a probe.
        self._idle_dependency = Dependency()
        self._idle = contender.make(Setup(self._idle_dependency.checks(1), interval=3600.0, bare=True))

    async def __call__(self, question: Question) -> Answer:
        match question["do"]:
            case "status":
                return await self._status(question["case"])
            case "answer":
                cases = {"contender": self._case(question["case"])}
            case "other":
                assert self._base is not None
                cases = {"contender": (self._app, OTHER, "GET"), "base": (self._base, OTHER, "GET")}
            case "allocated":
                app, path, method = self._case(question["case"])
                return {"bytes": await allocated(app, path, method)}
            case "load":
                return await self._load(question["probes"])
            case unknown:
                raise ValueError(unknown)
        # The limit takes turns with the others, so that the speed of this process and this moment cancels out.
        return dict(await side_by_side({"limit": (self._limit, "/", "GET"), **cases}, question["seconds"]))

    async def open(self, stack: AsyncExitStack) -> None:
        """Start the apps, and wait until their first checks have run."""
        for app in (self._app, self._verbose, self._base, self._idle):
            if app is not None:
                await stack.enter_async_context(Lifespan(app))
        for app in (self._app, self._idle):
            for _ in range(100):
                if (await ask(app, self._contender.ready))[0] == 200:
                    break
                await asyncio.sleep(0.02)
            else:
                raise RuntimeError(f"{self._contender.name} did not become ready")

    def _case(self, case: str) -> tuple[App, str, str]:
        method, _, page = case.partition(" ")
        if page == "verbose":
            assert self._verbose is not None
            assert self._contender.verbose is not None
            return self._verbose, self._contender.verbose, method
        return self._app, self._contender.live if page == "live" else self._contender.ready, method

    async def _status(self, case: str) -> Answer:
        if case.endswith("verbose") and self._verbose is None:
            return {"status": 0}
        status, body = await ask(*self._case(case))
        return {"status": status, "body": len(body)}

    async def _load(self, probes: int) -> Answer:
        before = self._idle_dependency.runs
        for number in range(probes):
            await ask(self._idle, self._contender.ready)
            if number % 256 == 0:
                await asyncio.sleep(0)
        return {"runs": self._idle_dependency.runs - before}


async def serve_questions(answer: Callable[[Question], Awaitable[Answer]]) -> None:
    """Answer line by line until stdin ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await answer(json.loads(line))), flush=True)


def _resident() -> int:
    """Return the resident memory of this process, in bytes."""
    gc.collect()
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:  # not Linux: its maximum so far
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Watching:
    """Run checks, and answer what they cost."""

    def __init__(self, contender: Contender, checks: int, interval: float) -> None:
        self.dependency = Dependency()
        self.checks = checks
        self.app = contender.make(Setup(self.dependency.checks(checks), interval=interval, bare=True))

    async def __call__(self, question: Question) -> Answer:
        spent = {"clock": monotonic(), "cpu": process_time(), "runs": self.dependency.runs}
        return spent if question["do"] == "spent" else {**spent, "resident": _resident()}


async def _watching(name: str, checks: str, interval: str) -> None:
    contender = find_contender(name)
    watching = Watching(contender, int(checks), float(interval))
    async with Lifespan(watching.app):
        if contender.checks:
            await ask(watching.app, contender.ready)  # fastapi-watch begins with the first request
        for _ in range(500):
            if watching.dependency.runs >= watching.checks or not contender.checks:
                break
            await asyncio.sleep(0.02)
        await serve_questions(watching)


async def _simulated() -> None:
    from .simulated import change, simulate  # not at the top: the worker of the limit runs without asgi-health

    async def answer(question: Question) -> Answer:
        # In a thread, because each has an event loop of its own.
        if question["do"] == "change":
            return dict(await asyncio.to_thread(change, question["checks"]))
        return await asyncio.to_thread(simulate, question["hours"], board=question["board"])

    await serve_questions(answer)


async def _anatomy() -> None:
    from .anatomy import Anatomy  # not at the top, see above

    measured = Anatomy()
    async with AsyncExitStack() as stack:
        await measured.open(stack)
        await serve_questions(measured)


async def _in_process(name: str) -> None:
    measured = InProcess(find_contender(name))
    async with AsyncExitStack() as stack:
        await measured.open(stack)
        await serve_questions(measured)


def main(arguments: list[str]) -> None:
    """Run one kind of worker."""
    kind, *rest = arguments
    match kind:
        case "in-process":
            asyncio.run(_in_process(rest[0]))
        case "watching":
            asyncio.run(_watching(*rest))
        case "anatomy":
            asyncio.run(_anatomy())
        case "simulated":
            asyncio.run(_simulated())
        case _:
            raise SystemExit(f"unknown kind of worker: {kind!r}")


if __name__ == "__main__":
    assert not tracemalloc.is_tracing()
    main(sys.argv[1:])
