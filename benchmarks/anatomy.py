"""What an answer is made of: the same answer, taken apart until nothing but constant messages is left.

Each stage adds one thing that an honest answer needs to the stage before. The last but one knows everything that the
hot path of asgi-health has to know; what lies between the first and it is the price of the promises, not of the code.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

from asgi_health import HealthMiddleware

from .figures import Figure, Results
from .harness import Lifespan, side_by_side
from .plan import Plan, Progress
from .setup import OTHER, App, Receive, Scope, Send
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
    """A middleware that knows so much and no more."""

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
    "+ messages of its own, for outer middlewares write into them": Fresh,
    "+ found by its path": ByPath,
    "+ GET, no query, HTTP": ByRequest,
    "+ the clock, for evidence grows old": ByTime,
}
OTHERS: dict[str, Callable[[App], App]] = {"a middleware that does nothing": InFront, "+ one look at the path": ByPath}


def measure(plan: Plan, progress: Progress) -> Results:
    """Take an answer, and a request for another page, apart."""
    progress.step("anatomy: in process")
    return asyncio.run(_measure(plan))


async def _measure(plan: Plan) -> Results:
    ours = HealthMiddleware(constant, checks={"database": _well})
    answers: dict[str, App] = {"the limit": constant}
    answers |= {name: stage(constant) for name, stage in ANSWERS.items()}
    others: dict[str, App] = {"the limit": constant}
    others |= {name: stage(constant) for name, stage in OTHERS.items()}
    answers["asgi-health"] = others["asgi-health"] = ours
    results = Results()
    async with Lifespan(ours):
        await asyncio.sleep(0.1)
        for measure_, path, apps in (
            ("anatomy, of an answer", READY, answers),
            ("anatomy, of another page", OTHER, others),
        ):
            taken: dict[str, list[float]] = {name: [] for name in apps}
            for _ in range(plan.times(12, 4)):
                once = await side_by_side(
                    {name: (app, path, "GET") for name, app in apps.items()}, plan.pick(0.1, 0.02)
                )
                for name, nanoseconds in once.items():
                    taken[name].append(nanoseconds)
            limits = taken["the limit"]
            for name, values in taken.items():
                results.add(Figure(measure_, "whole", name, "ns", spread(values), ratios(values, limits), "the limit"))
    return results


async def _well() -> bool:
    return True
