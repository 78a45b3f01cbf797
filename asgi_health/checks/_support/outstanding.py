"""Requests that survive the run that made them, on connections that answer in order or by number.

Some drivers cannot give up a request: its late answer is an error to them, or ends them. So a run that is cancelled
leaves its request alone, and the next run waits for that answer before it sends a request of its own.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")

POLL_INTERVAL = 0.05
"""Seconds between checks whether the connection is still open.

The driver does not report a lost connection to a request that waits.
"""


class OutstandingRequest:
    """The request that is not answered yet, and the connection on which it was sent."""

    __slots__ = ("_connection", "_request")

    def __init__(self) -> None:
        self._request: asyncio.Task[object] | None = None
        self._connection: tuple[object, ...] = ()

    async def send(self, request: Callable[[], Coroutine[Any, Any, T]], connection: Callable[[], object]) -> T:
        """Return the answer to `request`, which is sent once the request before it is answered.

        Args:
            request: Sends the request and returns its answer.
            connection: Returns a value that differs for each connection. Raises where there is no connection.
        """
        try:
            current = (asyncio.get_running_loop(), connection())
        except BaseException:
            self._discard()  # no answer will come
            raise
        if self._request is not None:
            if self._connection == current and not self._request.done():
                await self._answer(connection)  # to an earlier run: it does not show how long the server takes now
            else:
                self._discard()  # it was lost with its connection
        self._request, self._connection = asyncio.ensure_future(request()), current
        self._request.add_done_callback(_retrieve_exception)
        return cast("T", await self._answer(connection))

    def _discard(self) -> None:
        if self._request is not None and not self._request.get_loop().is_closed():
            self._request.cancel()
        self._request = None

    async def _answer(self, connection: Callable[[], object]) -> object:
        assert self._request is not None
        while not self._request.done():
            await asyncio.wait([self._request], timeout=POLL_INTERVAL)
            if connection() != self._connection[1]:
                raise ConnectionError("the connection was lost during the run, and made again")
        return self._request.result()


def _retrieve_exception(request: asyncio.Task[object]) -> None:
    """Keep asyncio from logging an exception that no later run retrieves."""
    if not request.cancelled():
        request.exception()
