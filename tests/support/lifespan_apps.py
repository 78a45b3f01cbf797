"""Apps, by what they make of the lifespan protocol. Named after what they do, for they are the rows of a table."""

from collections.abc import Awaitable, Callable

import anyio

from asgi_health.asgi.types import App, Receive, Scope, Send

from .asgi_caller import echo_nothing

ERROR = ValueError("the app's own")
Hear = Callable[[], Awaitable[str]]
Say = Callable[[str], Awaitable[None]]
Script = Callable[[Hear, Say], Awaitable[None]]


def life(script: Script, log: list[str] | None = None, app: App = echo_nothing) -> App:
    """An app that lives as `script` says and writes down in `log` what it heard and what it said."""
    log = [] if log is None else log

    async def lived(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return

        async def hear() -> str:
            moment: str = (await receive())["type"].removeprefix("lifespan.")
            log.append(f"app hears {moment}")
            return moment

        async def say(moment: str) -> None:
            log.append(f"app says {moment}")
            await send({"type": f"lifespan.{moment}"})

        await script(hear, say)

    return lived


async def takes_part(hear: Hear, say: Say) -> None:
    assert await hear() == "startup"
    await say("startup.complete")
    assert await hear() == "shutdown"
    await say("shutdown.complete")


speaks = life(takes_part)


async def raises_at_once(hear: Hear, say: Say) -> None:
    raise ERROR


async def raises_before_it_listens(hear: Hear, say: Say) -> None:
    await anyio.sleep(0.1)
    raise ERROR


async def returns_at_once(hear: Hear, say: Say) -> None:
    return None


async def returns_without_a_word(hear: Hear, say: Say) -> None:
    await hear()


async def returns_when_started(hear: Hear, say: Say) -> None:
    await hear()
    await say("startup.complete")


async def returns_a_while_after_it_started(hear: Hear, say: Say) -> None:
    await returns_when_started(hear, say)
    await anyio.sleep(0.5)


async def returns_without_a_last_word(hear: Hear, say: Say) -> None:
    await returns_when_started(hear, say)
    await hear()


async def fails_to_start(hear: Hear, say: Say) -> None:
    await hear()
    await say("startup.failed")


async def fails_to_start_and_raises(hear: Hear, say: Say) -> None:
    await fails_to_start(hear, say)
    raise ERROR


async def crashes_while_it_starts(hear: Hear, say: Say) -> None:
    await hear()
    await anyio.sleep(0.1)
    raise ERROR


async def crashes_when_started(hear: Hear, say: Say) -> None:
    await returns_when_started(hear, say)
    raise ERROR


async def crashes_later(hear: Hear, say: Say) -> None:
    await returns_a_while_after_it_started(hear, say)
    raise ERROR


async def crashes_while_it_stops(hear: Hear, say: Say) -> None:
    await returns_without_a_last_word(hear, say)
    await anyio.sleep(0.1)
    raise ERROR


async def fails_to_stop(hear: Hear, say: Say) -> None:
    await returns_without_a_last_word(hear, say)
    await say("shutdown.failed")


async def crashes_when_stopped(hear: Hear, say: Say) -> None:
    await takes_part(hear, say)
    raise ERROR


async def speaks_before_it_listens(hear: Hear, say: Say) -> None:
    await say("startup.complete")
    assert await hear() == "startup"
    assert await hear() == "shutdown"
    await say("shutdown.complete")


async def lingers_when_stopped(hear: Hear, say: Say) -> None:
    await takes_part(hear, say)
    await anyio.sleep(1.0)
