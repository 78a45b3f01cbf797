"""A client that watches the events of an app: as an ASGI server would, and the parsing of what it gets."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel

from asgi_health.asgi.types import App, Message

from .asgi_caller import http_scope
from .waiting import wait_until_async

PATH = "/health/events"


@dataclass(frozen=True)
class Event:
    """One event, as a browser dispatches it."""

    name: str
    data: str
    id: str | None = None


def parse(body: bytes) -> list[Event]:
    """Return the events in `body` whose end has come."""
    events: list[Event] = []
    for block in body.decode().split("\n\n")[:-1]:
        fields = [line.partition(": ") for line in block.split("\n") if not line.startswith(":")]
        data = [value for name, _, value in fields if name == "data"]
        last = {name: value for name, _, value in fields}
        if data:
            events.append(Event(last["event"], "\n".join(data), last.get("id")))
    return events


def retries(body: bytes) -> list[int]:
    """Return the pauses that the server has asked for (milliseconds)."""
    return [int(line[7:]) for line in body.decode().split("\n") if line.startswith("retry: ")]


class Watching:
    """One request for the events, and what has come of its answer.

    Attributes:
        messages: The messages of the answer.
        stuck: Whether the client reads no body: then `send` of it does not return.
        ended: Whether the app has returned.
        error: What the app has raised.
    """

    def __init__(self, **scope: Any) -> None:
        self.scope = http_scope(scope.pop("path", PATH), **scope)
        self.messages: list[Message] = []
        self.stuck = False
        self.ended = False
        self.error: Exception | None = None
        self._requested = False
        self._gone = anyio.Event()

    async def run(self, app: App) -> None:
        try:
            await app(self.scope, self._receive, self._send)
        except Exception as error:
            self.error = error
        self.ended = True

    def disconnect(self) -> None:
        """Close the connection."""
        self._gone.set()

    @property
    def body(self) -> bytes:
        return b"".join(each["body"] for each in self.messages[1:])

    @property
    def events(self) -> list[Event]:
        return parse(self.body)

    @property
    def complete(self) -> bool:
        """Whether the end of the answer has come."""
        return len(self.messages) > 1 and not self.messages[-1].get("more_body", False)

    def names(self, since: int = 0) -> list[str]:
        return [each.name for each in self.events[since:]]

    def checks(self, since: int = 0) -> set[str]:
        """Return the names of the checks that have come in the events from number `since`."""
        elements = (each.data for each in self.events[since:] if each.name == "check")
        return {each.partition('id="check-')[2].partition('"')[0] for each in elements}

    def states(self) -> int:
        """Return how many states have come completely."""
        return self.names().count("updated")

    @property
    def last_id(self) -> str:
        found = [each.id for each in self.events if each.id is not None]
        return found[-1]

    async def wait_for(self, condition: Callable[["Watching"], bool], what: str, timeout: float = 30.0) -> None:
        await wait_until_async(lambda: condition(self), lambda: f"{what}: {self.body!r}", timeout)

    async def wait_for_state(self, number: int = 1) -> None:
        await self.wait_for(lambda each: each.states() >= number, f"state {number} has come")

    async def _receive(self) -> Message:
        if not self._requested:  # a server gives the body first, also where there is none
            self._requested = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self.stuck and message["type"] == "http.response.body":
            await anyio.sleep_forever()
        self.messages.append(message)
        await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def watching(app: App, count: int = 1, **scope: Any) -> AsyncIterator[list[Watching]]:
    """Watch the events of `app` by `count` requests, until the end of the block; then all of them have ended."""
    watchers = [Watching(**scope) for _ in range(count)]
    async with anyio.create_task_group() as group:
        for each in watchers:
            group.start_soon(each.run, app)
        yield watchers
        for each in watchers:
            each.disconnect()
