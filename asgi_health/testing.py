"""Helpers for those who test checks and apps of their own, on asyncio and on trio.

result = await check_once(Check("database", ping))
async with lifespan(app):
    await settled(app.health)
    assert (await probe(app, "/readyz")).status == 200
"""

import contextlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, replace
from typing import Any

import anyio

from .asgi.types import App, Message
from .core.check import Check
from .core.health import Health
from .core.result import Result
from .core.status import Probe
from .runtime.current import current_backend
from .runtime.runner import runner_of


@dataclass(frozen=True, slots=True)
class Response:
    """What a prober got."""

    status: int
    headers: dict[str, str]
    body: bytes


async def check_once(check: Check) -> Result:
    """Return what one run of `check` gives, under its own timeout, in a thread if its function is a plain one."""
    # Readiness, because a check for liveness or startup alone is run in the same way and its answer is the same.
    health = Health([replace(check, probes=(Probe.READINESS,))])
    await runner_of(health).refresh()
    result = health.report().checks[0].state.result
    if result is None:
        raise RuntimeError(f"check {check.name!r}: the run was given up before it had a result")
    return result


async def probe(
    app: App, path: str, *, method: str = "GET", query: str = "", headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Return what `app` answers to one request, without a server or a client library in between."""
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    return Response(
        messages[0]["status"],
        {name.decode("latin-1"): value.decode("latin-1") for name, value in messages[0]["headers"]},
        b"".join(message.get("body", b"") for message in messages[1:]),
    )


@contextlib.asynccontextmanager
async def lifespan(app: App) -> AsyncGenerator[None, None]:
    """Start `app` as a server would, and shut it down at the end.

    What the app raises comes out as it was. Raises RuntimeError when the app says that it failed to start.
    """
    requests, for_app = anyio.create_memory_object_stream[Message](2)
    replies, from_app = anyio.create_memory_object_stream[Message](2)
    raised: list[BaseException] = []

    async def run() -> None:
        try:
            await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, for_app.receive, replies.send)
        except BaseException as error:
            raised.append(error)
        finally:
            replies.close()

    async def ask(kind: str) -> Message:
        await requests.send({"type": kind})
        try:
            return await from_app.receive()
        except anyio.EndOfStream:
            raise raised[0] if raised else RuntimeError(f"the app returned without an answer to {kind}") from None

    with requests, for_app, replies, from_app:
        # A task of its own, not a task group: an assertion that fails in the body must not come out in a group.
        task = current_backend().spawn("lifespan", run, replies.close)
        try:
            reply = await ask("lifespan.startup")
            if reply["type"] != "lifespan.startup.complete":
                raise RuntimeError(f"the app failed to start: {reply.get('message') or reply['type']}")
            try:
                yield
            finally:
                await ask("lifespan.shutdown")
        finally:
            task.cancel()


async def settled(health: Health, *, within: float = 10.0) -> None:
    """Return when every check of `health` has had a result. Raises TimeoutError after `within` seconds."""
    with anyio.fail_after(within):
        while any(  # noqa: ASYNC110  there is no event to wait for, and this is a test
            check.state.status is None for check in health.report().checks
        ):
            await anyio.sleep(0.005)
