"""Run checks and apps without a server, on asyncio and on trio."""

import contextlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import anyio

from ..asgi.types import App, Message
from ..core.check import Check
from ..core.result import Result
from ..core.status import Probe
from ..core.validate import require_type
from ..health import Health, engine_of
from ..runtime.backends.detection import current_backend
from ..runtime.scheduler.never_awaited import fail_when_never_awaited
from ..runtime.scheduler.runner import runner_of


@dataclass(frozen=True, slots=True)
class Response:
    """The response to one request.

    Attributes:
        status: HTTP status code.
        headers: Headers, names in lower case.
        body: Body.
    """

    status: int
    headers: dict[str, str]
    body: bytes


async def check_once(check: Check) -> Result:
    """Return the result of one run of `check`, under its own timeout, in a thread if its function is a plain one.

    The result is a failure too when the function creates a coroutine and does not await it; the output names the line.

    Args:
        check: The check.

    Raises:
        TypeError: for an argument that is not a Check.
        RuntimeError: when the run was given up before it had a result.
    """
    if not isinstance(check, Check):  # pyright: ignore[reportUnnecessaryIsInstance]  not every caller has a type checker
        raise TypeError(
            f"check_once: check must be a Check, not {check!r:.80}; write check_once(Check('a-name', {_named(check)}))"
        )
    # Readiness: a check of another probe runs in the same way and has the same result.
    health = Health([replace(check, run=fail_when_never_awaited(check), probes=(Probe.READINESS,))])
    await runner_of(engine_of(health)).run_due()
    result = health.report().checks[0].state.result
    if result is None:
        raise RuntimeError(f"check {check.name!r}: the run was given up before it had a result")
    return result


async def probe(
    app: App,
    path: str,
    *,
    method: str = "GET",
    query: str = "",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
) -> Response:
    """Return the response of `app` to one request, without a server or a client library.

    Exceptions of the app are passed on unchanged.

    Args:
        app: The ASGI app.
        path: The path as in a URL; it may contain a query.
        method: HTTP method.
        query: Query without the question mark.
        headers: Headers of the request.

    Raises:
        TypeError: for an argument of another type.
        ValueError: for an invalid path or query.
        RuntimeError: when the app returns without a response.
    """
    _require_app("probe", app)
    require_type("probe: path", path, str)
    require_type("probe: query", query, str)
    if query.startswith("?"):
        raise ValueError(f"probe: query {query!r} must be without the question mark: {query[1:]!r}")
    path, mark, behind = path.partition("?")
    if not path.startswith("/") or "#" in path + behind or (mark and query):
        raise ValueError(
            f"probe: path {path + mark + behind!r} must be a path such as '/readyz' or '/readyz?verbose', which begins"
            " with a slash, has no fragment, and has no query where query=... is given"
        )
    messages: list[Message] = []
    requests: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        # The client stays connected. Django asks for a disconnect while its view runs, and refuses anything else.
        while not requests:
            await anyio.sleep_forever()
        return requests.pop()

    async def send(message: Message) -> None:
        messages.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": (query or behind).encode(),
        "root_path": "",
        "headers": _encoded(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    if not messages:
        raise RuntimeError(f"probe: the app returned without an answer to {method} {path}")
    return Response(
        messages[0]["status"],
        {name.decode("latin-1"): value.decode("latin-1") for name, value in messages[0]["headers"]},
        b"".join(message.get("body", b"") for message in messages[1:]),
    )


@contextlib.asynccontextmanager
async def lifespan(app: App) -> AsyncGenerator[None, None]:
    """Start `app` as a server does, and shut it down at the end of the block.

    Exceptions of the app are passed on unchanged.

    Args:
        app: The ASGI app.

    Raises:
        TypeError: for an argument that is not an app.
        RuntimeError: when the app sends ``lifespan.startup.failed``, or returns before it has started or stopped.
    """
    _require_app("lifespan", app)
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
        # A task without a task group, which would wrap a failed assertion of the block in an exception group.
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
    """Return when every check of `health` has had a result.

    Args:
        health: The Health.
        within: Seconds to wait.

    Raises:
        TypeError: for an argument that is not a Health.
        TimeoutError: when a check has no result after `within` seconds; the message names it.
    """
    _require_health(health)
    with anyio.move_on_after(within) as scope:
        while _without_result(health):  # noqa: ASYNC110  there is no event to wait for
            await anyio.sleep(0.005)
    if not scope.cancelled_caught:
        return
    hint = (
        ""
        if runner_of(engine_of(health)).alive
        else "; nothing runs them: is this inside of lifespan(app) or health.running()?"
    )
    raise TimeoutError(f"settled: no result of {', '.join(_without_result(health))} after {within:g} s{hint}")


def _without_result(health: Health) -> list[str]:
    return [each.name for each in health.report().checks if each.state.status is None]


def _require_health(health: object) -> None:
    if not isinstance(health, Health):
        hint = "; pass its .health" if isinstance(getattr(health, "health", None), Health) else ""
        raise TypeError(f"settled: health must be a Health, not {type(health).__name__}{hint}")


def _require_app(subject: str, app: object) -> None:
    if isinstance(app, Health):
        raise TypeError(
            f"{subject}: app must be an ASGI app, not a Health; pass the app with HealthMiddleware around it"
        )
    if not callable(app):
        raise TypeError(f"{subject}: app must be an ASGI app, not {app!r:.80}")


def _encoded(headers: Any) -> list[tuple[bytes, bytes]]:
    expected = f"probe: headers must be {{name: value}} or pairs of strings, not {headers!r:.80}"
    if not hasattr(headers, "__iter__"):
        raise TypeError(expected)
    pairs: list[Any] = list(headers.items()) if hasattr(headers, "items") else list(headers)
    for each in pairs:
        match each:
            case (str(), str()):
                pass
            case _:
                raise TypeError(expected)
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def _named(check: object) -> str:
    return getattr(check, "__name__", "a_function")
