"""One question at a time on a connection whose answers come in the order of the questions, or by their numbers.

Some drivers cannot give up a question: the answer that comes after all is an error to them, or ends them. So a run that
is cut off leaves its question where it is, and the next one waits for that answer before it asks anew.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")

LOOK = 0.05
"""Seconds after which a run that waits looks whether there still is a connection: such drivers tell nobody who asks."""


class Outstanding:
    """The question that is not answered yet, and the connection on which it was asked."""

    __slots__ = ("_connection", "_question")

    def __init__(self) -> None:
        self._question: asyncio.Task[object] | None = None
        self._connection: tuple[object, ...] = ()

    async def ask(self, question: Callable[[], Coroutine[Any, Any, T]], alive: Callable[[], object]) -> T:
        """Ask, and return the answer when it is there.

        `alive` returns what tells one connection from the next, and raises when there is none.
        """
        try:
            connection = (asyncio.get_running_loop(), alive())
        except BaseException:
            self._forget()  # nobody will answer
            raise
        if self._question is not None:
            if self._connection == connection and not self._question.done():
                await self._answer(alive)  # to an earlier run, which tells nothing of how long it takes now
            else:
                self._forget()  # it was lost with its connection
        self._question, self._connection = asyncio.ensure_future(question()), connection
        self._question.add_done_callback(_look_at)
        return cast("T", await self._answer(alive))

    def _forget(self) -> None:
        if self._question is not None and not self._question.get_loop().is_closed():
            self._question.cancel()
        self._question = None

    async def _answer(self, alive: Callable[[], object]) -> object:
        assert self._question is not None
        while not self._question.done():
            await asyncio.wait([self._question], timeout=LOOK)
            if alive() != self._connection[1]:
                raise ConnectionError("the connection was lost meanwhile, and made again")
        return self._question.result()


def _look_at(question: asyncio.Task[object]) -> None:
    """Or asyncio would complain that nobody did, where no run comes by any more."""
    if not question.cancelled():
        question.exception()
