"""An ASGI server without sockets: it sends an app the lifespan and the requests that a server would send.

Not the callers of tests/support, whose checks of each message would be measured too.
"""

import asyncio
import tracemalloc
from statistics import median
from time import perf_counter_ns
from typing import Any

from .setup import App, Message, Receive, Scope


def scope(path: str, method: str = "GET") -> Scope:
    """Return the scope that uvicorn makes from a request of the kubelet."""
    path, _, query = path.partition("?")
    path = path.encode().decode()  # a new string, as a server decodes one: no dict has it as its key
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("10.244.1.17", 8000),
        "client": ("10.244.1.1", 43210),
        "scheme": "http",
        "root_path": "",
        "headers": [
            (b"host", b"10.244.1.17:8000"),
            (b"user-agent", b"kube-probe/1.31"),
            (b"accept", b"*/*"),
            (b"connection", b"close"),
        ],
        "state": {},
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
    }


class _Body:
    """The receive of one request: an empty body, then nothing until the client disconnects."""

    __slots__ = ("_sent",)

    def __init__(self) -> None:
        self._sent = False

    async def __call__(self) -> Message:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.get_running_loop().create_future()
        raise AssertionError("the client of this harness never disconnects")


async def _drop(message: Message) -> None:
    pass


async def ask(app: App, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Send one request; return the status and the body."""
    status = 0
    body = b""

    async def send(message: Message) -> None:
        nonlocal status, body
        status = message.get("status", status)
        body += message.get("body", b"")

    await app(scope(path, method), _Body(), send)
    return status, body


BATCH = 16
"""Requests prepared at a time, before the clock starts: each needs a scope of its own, because apps write into it."""


ALTERNATIONS = 4


async def side_by_side(cases: dict[str, tuple[App, str, str]], seconds: float) -> dict[str, float]:
    """Return the ns that one request (app, path, method) takes in each case. The cases take turns."""
    took: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ALTERNATIONS):
        for name, (app, path, method) in cases.items():
            took[name] += await _batches(app, path, method, seconds / ALTERNATIONS)
    answer = {}
    for name, values in took.items():
        values.sort()
        # Every disturbance makes a batch slower, so the fastest tenth is closest to the cost of the code.
        fastest = values[: max(1, len(values) // 10)]
        answer[name] = fastest[len(fastest) // 2]
    return answer


async def _batches(app: App, path: str, method: str, seconds: float) -> list[float]:
    template = scope(path, method)
    took: list[float] = []
    spent = 0
    while spent < seconds * 1e9:
        requests: list[tuple[Scope, Receive]] = [({**template}, _Body()) for _ in range(BATCH)]
        started = perf_counter_ns()
        for request, receive in requests:
            await app(request, receive, _drop)
        ended = perf_counter_ns()
        took.append((ended - started) / BATCH)
        spent += ended - started
        await asyncio.sleep(0)
    return took


class Lifespan:
    """The lifespan of an app, from its startup to the end of the block."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._sent = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._messages.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.create_task(self._run())
        await self._sent.wait()

    async def __aexit__(self, *error: object) -> None:
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        if self._task is not None:
            await asyncio.wait([self._task], timeout=2.0)

    async def _run(self) -> None:
        try:
            await self._app(
                {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._messages.get, self._send
            )
        except Exception:  # it does not support lifespan; a server in auto mode goes on without it too
            pass
        finally:
            self._sent.set()

    async def _send(self, message: Message) -> None:
        if message["type"].startswith("lifespan.startup"):
            self._sent.set()


async def allocated(app: App, path: str, method: str) -> float:
    """Return the peak of the bytes that one answer allocates, as tracemalloc counts them."""
    requests = [(scope(path, method), _Body()) for _ in range(50)]
    for request, receive in requests[:25]:  # to fill caches
        await app(request, receive, _drop)
    peaks = []
    tracemalloc.start()
    try:
        for request, receive in requests[25:]:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            await app(request, receive, _drop)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    return median(peaks)
