"""asgi_health.testing: the arguments of the helpers, and the errors for wrong ones."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware, testing
from asgi_health.asgi.types import Message, Receive, Scope, Send
from asgi_health.testing import Response, lifespan, settled

ANY: Any = testing  # untyped: a type checker refuses these calls


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request line and the headers of the request."""
    headers = b"|".join(b": ".join(pair) for pair in scope["headers"])
    body = f"{scope['method']} {scope['path']} {scope['raw_path'].decode()} {scope['query_string'].decode()} ".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body + headers})


async def mute(scope: Scope, receive: Receive, send: Send) -> None: ...


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no pool"})


def ping() -> None: ...


def probed(*arguments: Any, **options: Any) -> Response:
    async def main() -> Response:
        answer: Response = await ANY.probe(*arguments, **options)
        return answer

    return anyio.run(main)


@pytest.mark.parametrize(
    ("path", "options", "asked"),
    [
        ("/readyz", {}, "GET /readyz /readyz  "),
        ("/readyz?format=text", {}, "GET /readyz /readyz format=text "),
        ("/readyz", {"query": "format=text"}, "GET /readyz /readyz format=text "),
        ("/a%20b?", {"method": "HEAD"}, "HEAD /a b /a%20b  "),
        ("/a", {"headers": {"X-A": "b", "Y": "ä"}}, "GET /a /a  x-a: b|y: ä"),
        ("/a", {"headers": [("X-A", "b"), ("X-A", "c")]}, "GET /a /a  x-a: b|x-a: c"),
    ],
)
def test_a_probe_sends_its_arguments_as_a_request(path: str, options: dict[str, Any], asked: str) -> None:
    assert probed(echo, path, **options).body.decode("latin-1") == asked


class Mock:
    """Not an app."""


Call = Callable[[], Awaitable[Any]]
MISTAKES: dict[str, tuple[Call, type[Exception], str]] = {
    "check_once of a function": (
        lambda: ANY.check_once(ping),
        TypeError,
        "check_once: check must be a Check, not <function ping at .*>; write check_once\\(Check\\('a-name', ping\\)\\)",
    ),
    "check_once of a name": (
        lambda: ANY.check_once("db"),
        TypeError,
        "check_once: check must be a Check, not 'db'; .*",
    ),
    "settled of a middleware": (
        lambda: ANY.settled(HealthMiddleware(echo)),
        TypeError,
        "settled: health must be a Health, not HealthMiddleware; pass its .health",
    ),
    "settled of something else": (lambda: ANY.settled(Mock()), TypeError, "settled: health must be a Health, not Mock"),
    "settled without lifespan": (
        lambda: settled(Health({"db": ping, "mail": ping}), within=0.05),
        TimeoutError,
        "settled: no result of db, mail after 0.05 s; nothing runs them: is this inside of lifespan\\(app\\) or"
        " health.running\\(\\)\\?",
    ),
    "probe of a Health": (
        lambda: ANY.probe(Health(), "/readyz"),
        TypeError,
        "probe: app must be an ASGI app, not a Health; pass the app with HealthMiddleware around it",
    ),
    "probe of no app": (
        lambda: ANY.probe("shop:app", "/"),
        TypeError,
        "probe: app must be an ASGI app, not 'shop:app'",
    ),
    "probe of a URL": (
        lambda: ANY.probe(echo, "http://a/readyz"),
        ValueError,
        "probe: path 'http://a/readyz' must be .*",
    ),
    "probe with two queries": (
        lambda: ANY.probe(echo, "/a?b", query="c"),
        ValueError,
        "probe: path '/a\\?b' must be .*",
    ),
    "probe with a fragment": (lambda: ANY.probe(echo, "/a?b#c"), ValueError, "probe: path '/a\\?b#c' must be .*"),
    "probe with headers of bytes": (
        lambda: ANY.probe(echo, "/", headers=[(b"a", b"b")]),
        TypeError,
        "probe: headers must be {name: value} or pairs of strings, not \\[\\(b'a', b'b'\\)\\]",
    ),
    "probe with headers of one string": (
        lambda: ANY.probe(echo, "/", headers=["a: b"]),
        TypeError,
        "probe: headers must be {name: value} or pairs of strings, not \\['a: b'\\]",
    ),
    "probe with headers of nothing": (
        lambda: ANY.probe(echo, "/", headers=None),
        TypeError,
        "probe: headers must be {name: value} or pairs of strings, not None",
    ),
    "probe of no path": (
        lambda: ANY.probe(echo, None),
        TypeError,
        "probe: path must be of type str, not None",
    ),
    "probe with a path of bytes": (
        lambda: ANY.probe(echo, b"/readyz"),
        TypeError,
        "probe: path must be of type str, not b'/readyz'",
    ),
    "probe with a query of a dict": (
        lambda: ANY.probe(echo, "/", query={"format": "text"}),
        TypeError,
        "probe: query must be of type str, not {'format': 'text'}",
    ),
    "probe with a query that begins with its mark": (
        lambda: ANY.probe(echo, "/", query="?verbose"),
        ValueError,
        "probe: query '\\?verbose' must be without the question mark: 'verbose'",
    ),
    "probe of an app that does not answer": (
        lambda: ANY.probe(mute, "/a"),
        RuntimeError,
        "probe: the app returned without an answer to GET /a",
    ),
    "lifespan of an app that fails to start": (
        lambda: run_lifespan(failing),
        RuntimeError,
        "the app failed to start: no pool",
    ),
    "lifespan of an app that returns": (
        lambda: run_lifespan(mute),
        RuntimeError,
        "the app returned without an answer to lifespan.startup",
    ),
    "lifespan of a Health": (
        lambda: run_lifespan(Health()),
        TypeError,
        "lifespan: app must be an ASGI app, not a Health; pass the app with HealthMiddleware around it",
    ),
}


async def run_lifespan(app: Any) -> None:
    async with lifespan(app):
        pass


@pytest.mark.parametrize("name", MISTAKES)
def test_a_wrong_argument_raises_an_error_that_names_it(name: str) -> None:
    call, kind, words = MISTAKES[name]

    async def main() -> None:
        await call()

    with pytest.raises(kind) as caught:
        anyio.run(main)
    assert type(caught.value) is kind
    with pytest.raises(kind, match=f"^{words}$"):
        raise caught.value


def test_settled_inside_a_lifespan_names_only_the_checks_without_a_result() -> None:
    async def hang() -> None:
        await anyio.sleep(60)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for what in ("startup", "shutdown"):
            await receive()
            done: Message = {"type": f"lifespan.{what}.complete"}
            await send(done)

    wrapped = HealthMiddleware(app, [Check("quick", ping), Check("hangs", hang)])

    async def main() -> None:
        async with lifespan(wrapped):
            await settled(wrapped.health, within=0.3)

    with pytest.raises(TimeoutError, match=r"^settled: no result of hangs after 0\.3 s$"):
        anyio.run(main)


def test_a_star_import_brings_only_the_helpers() -> None:
    # The Health in asgi_health.testing is another class, and would shadow the public one.
    names: dict[str, Any] = {}
    exec("from asgi_health import *\nfrom asgi_health.testing import *", names)
    assert names["Health"] is Health
    assert names["Response"] is Response
