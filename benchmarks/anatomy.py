"""The parts of an answer: each stage adds to the one before it one duty that an answer has.

The first stage sends two constant messages. The last has all duties of the hot path of asgi-health, so the difference
between the two is the price of the duties, and asgi-health is compared with the last.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from time import monotonic
from typing import Any

from asgi_health import HealthMiddleware

from .contenders import find_contender
from .figures import Figure, Results
from .harness import Lifespan, side_by_side
from .plan import Plan, Progress
from .processes import Worker
from .setup import OTHER, App, Receive, Scope, Send, Setup
from .stats import ratios, spread

HEADERS = [
    (b"content-type", b"application/health+json"),
    (b"content-length", b"17"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
BODY: dict[str, Any] = {"type": "http.response.body", "body": b'{"status":"pass"}'}
START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": HEADERS}
READY = "/health/ready"


async def constant(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await send(BODY)


class Stage:
    """A middleware; each subclass has one duty more."""

    __slots__ = ("app", "clock", "ready")

    def __init__(self, app: App) -> None:
        self.app = app
        self.clock = monotonic
        self.ready = {READY: (float("inf"), START, HEADERS, BODY)}


class InFront(Stage):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class Method(Stage):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(BODY)


class Fresh(Stage):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = START.copy()
        message["headers"] = HEADERS.copy()
        await send(message)
        await send(BODY.copy())


class ByPath(Stage):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path not in self.ready:
            await self.app(scope, receive, send)
            return
        _, start, headers, body = self.ready[path]
        message = start.copy()
        message["headers"] = headers.copy()
        await send(message)
        await send(body.copy())


class ByRequest(Stage):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path not in self.ready or scope["method"] != "GET" or scope["query_string"] or scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        _, start, headers, body = self.ready[path]
        message = start.copy()
        message["headers"] = headers.copy()
        await send(message)
        await send(body.copy())


class ByTime(Stage):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path not in self.ready or scope["method"] != "GET" or scope["query_string"] or scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        until, start, headers, body = self.ready[path]
        if self.clock() >= until:
            return
        message = start.copy()
        message["headers"] = headers.copy()
        await send(message)
        await send(body.copy())


ANSWERS: dict[str, Callable[[App], App]] = {
    "the same from a method": Method,
    "+ messages of its own, because outer middlewares write into them": Fresh,
    "+ found by its path": ByPath,
    "+ GET, no query, HTTP": ByRequest,
    "+ the clock, because results grow old": ByTime,
}
OTHERS: dict[str, Callable[[App], App]] = {"a middleware that does nothing": InFront, "+ one look at the path": ByPath}


PARTS = {
    "of an answer": (READY, ANSWERS, "an answer"),
    "of another page": (OTHER, OTHERS, "a request for another page"),
}
"""Part -> the path, the stages, and the name of the comparison with the last stage."""
LIMIT = "the limit"
OURS = "asgi-health"
ALL_ON = "asgi-health, all on"
BOARD = "asgi-health, board"


def measure(plan: Plan, progress: Progress) -> Results:
    """Measure each stage of an answer, and of a request for another page."""
    taken: dict[str, dict[str, list[float]]] = {part: {} for part in PARTS}
    # Each generation is a new process, because the memory layout of one process is a sample of one.
    for generation in range(plan.times(4, 2)):
        with Worker("anatomy") as worker:
            for turn in range(plan.times(6, 4)):
                progress.step(f"anatomy: {generation + 1}.{turn + 1}")
                for part, stages in taken.items():
                    once = worker.ask(part=part, seconds=plan.pick(0.1, 0.02))
                    for name, nanoseconds in once.items():
                        stages.setdefault(name, []).append(nanoseconds)
    results = Results()
    for part, stages in taken.items():
        limits = stages[LIMIT]
        for name, values in stages.items():
            compared = ratios(values, limits)
            results.add(Figure(f"anatomy, {part}", "whole", name, "ns", spread(values), compared, LIMIT))
    for part, (_, known, what) in PARTS.items():
        last = [*known][-1]
        cheapest = taken[part][last]
        for name in (OURS, ALL_ON, BOARD):
            ours = taken[part][name]
            compared = ratios(ours, cheapest)
            results.add(Figure("duties", what, name, "ns", spread(ours), compared, f"the stage {last!r}"))
    return results


class Anatomy:
    """Answer the questions of `measure`, in a process of its own."""

    def __init__(self) -> None:
        self._ours = HealthMiddleware(constant, checks={"database": _well})
        setup = Setup((("database", _well),), bare=True)
        self._all_on = find_contender(ALL_ON).make(setup)
        self._board = find_contender(BOARD).make(setup)

    async def open(self, stack: AsyncExitStack) -> None:
        """Start the app, and wait until its check has run."""
        for app in (self._ours, self._all_on, self._board):
            await stack.enter_async_context(Lifespan(app))
        await asyncio.sleep(0.1)

    async def __call__(self, question: dict[str, Any]) -> dict[str, Any]:
        path, stages, _ = PARTS[question["part"]]
        apps: dict[str, App] = {LIMIT: constant, **{name: stage(constant) for name, stage in stages.items()}}
        apps |= {OURS: self._ours, ALL_ON: self._all_on, BOARD: self._board}
        cases = {name: (app, path, "GET") for name, app in apps.items()}
        return dict(await side_by_side(cases, question["seconds"]))


async def _well() -> bool:
    return True
