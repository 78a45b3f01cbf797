"""Apps that differ in what they do with the lifespan protocol. Each script is named after what its app does."""

from collections.abc import Awaitable, Callable

import anyio

from asgi_health.asgi.types import App, Receive, Scope, Send

from .asgi_caller import echo_nothing

ERROR = ValueError("the app's own")
ReceiveEvent = Callable[[], Awaitable[str]]
"""Returns the next event of the server: "startup" or "shutdown"."""
SendEvent = Callable[[str], Awaitable[None]]
"""Sends an event to the server, such as "startup.complete"."""
Script = Callable[[ReceiveEvent, SendEvent], Awaitable[None]]
"""What an app does in its lifespan."""


def make_app(script: Script, log: list[str] | None = None, app: App = echo_nothing) -> App:
    """Return an app that runs `script` as its lifespan and appends the events to `log`; `app` answers its requests."""
    log = [] if log is None else log

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return

        async def receive_event() -> str:
            event: str = (await receive())["type"].removeprefix("lifespan.")
            log.append(f"app receives {event}")
            return event

        async def send_event(event: str) -> None:
            log.append(f"app sends {event}")
            await send({"type": f"lifespan.{event}"})

        await script(receive_event, send_event)

    return call


async def supports_lifespan(receive: ReceiveEvent, send: SendEvent) -> None:
    assert await receive() == "startup"
    await send("startup.complete")
    assert await receive() == "shutdown"
    await send("shutdown.complete")


lifespan_app = make_app(supports_lifespan)


async def raises_at_once(receive: ReceiveEvent, send: SendEvent) -> None:
    raise ERROR


async def raises_before_it_receives(receive: ReceiveEvent, send: SendEvent) -> None:
    await anyio.sleep(0.1)
    raise ERROR


async def returns_at_once(receive: ReceiveEvent, send: SendEvent) -> None:
    return None


async def returns_before_startup_is_complete(receive: ReceiveEvent, send: SendEvent) -> None:
    await receive()


async def returns_when_started(receive: ReceiveEvent, send: SendEvent) -> None:
    await receive()
    await send("startup.complete")


async def returns_later(receive: ReceiveEvent, send: SendEvent) -> None:
    await returns_when_started(receive, send)
    await anyio.sleep(0.5)


async def returns_before_shutdown_is_complete(receive: ReceiveEvent, send: SendEvent) -> None:
    await returns_when_started(receive, send)
    await receive()


async def fails_to_start(receive: ReceiveEvent, send: SendEvent) -> None:
    await receive()
    await send("startup.failed")


async def fails_to_start_and_raises(receive: ReceiveEvent, send: SendEvent) -> None:
    await fails_to_start(receive, send)
    raise ERROR


async def crashes_while_it_starts(receive: ReceiveEvent, send: SendEvent) -> None:
    await receive()
    await anyio.sleep(0.1)
    raise ERROR


async def crashes_when_started(receive: ReceiveEvent, send: SendEvent) -> None:
    await returns_when_started(receive, send)
    raise ERROR


async def crashes_later(receive: ReceiveEvent, send: SendEvent) -> None:
    await returns_later(receive, send)
    raise ERROR


async def crashes_while_it_stops(receive: ReceiveEvent, send: SendEvent) -> None:
    await returns_before_shutdown_is_complete(receive, send)
    await anyio.sleep(0.1)
    raise ERROR


async def fails_to_stop(receive: ReceiveEvent, send: SendEvent) -> None:
    await returns_before_shutdown_is_complete(receive, send)
    await send("shutdown.failed")


async def crashes_when_stopped(receive: ReceiveEvent, send: SendEvent) -> None:
    await supports_lifespan(receive, send)
    raise ERROR


async def sends_before_it_receives(receive: ReceiveEvent, send: SendEvent) -> None:
    await send("startup.complete")
    assert await receive() == "startup"
    assert await receive() == "shutdown"
    await send("shutdown.complete")


async def lingers_when_stopped(receive: ReceiveEvent, send: SendEvent) -> None:
    await supports_lifespan(receive, send)
    await anyio.sleep(1.0)
