"""The event loop of trio."""

from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from math import inf
from types import coroutine
from typing import Any
from weakref import WeakKeyDictionary

import trio
from outcome import Error

from .interface import Main
from .pinning import pin


class TrioTask:
    """See `interface.Task`.

    A system task, because a nursery would have to surround the app: it turns the app's exceptions into groups, and
    hides a cancellation that comes from elsewhere.

    trio cancels by state, not once: a check that swallows its cancellation gets the next one at once and spins. So the
    task's traps pass through `_relay`, which shields the check as soon as a cancellation has been delivered, and, when
    the task is dropped or trio ends, ends the task around a check that does not end.
    """

    __slots__ = ("_cancellation_delivered", "_dropped", "_live", "_scope", "_shield", "_token")

    def __init__(self, live: set["TrioTask"]) -> None:
        self._scope = trio.CancelScope()
        self._shield = trio.CancelScope()
        self._token = trio.lowlevel.current_trio_token()
        self._live = live
        live.add(self)
        self._dropped = False
        self._cancellation_delivered = False

    def cancel(self) -> None:
        self._in_loop(self._scope.cancel)

    def drop(self) -> None:
        self._dropped = True
        self._in_loop(self._unshield)

    def forget_end(self) -> None:
        """Do nothing: the call costs nothing here."""

    def alive(self) -> bool:
        return self in self._live

    async def run(self, main: Main, ended: Callable[[], None]) -> None:
        try:
            await self._relay(self._scoped(main))
        finally:
            self._live.discard(self)
            ended()

    async def _scoped(self, main: Main) -> None:
        with self._scope, self._shield:
            await main()

    @coroutine
    def _relay(self, main: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
        outcome: Any = None
        thrown: BaseException | None = None
        while True:
            try:
                trap: Any = main.send(outcome) if thrown is None else main.throw(thrown)
            except StopIteration:
                return
            thrown = None
            try:
                outcome = yield trap
            except GeneratorExit:  # collected with its loop, and `main` perhaps before it
                main.close()
                raise
            except BaseException as error:  # trio throws when the check awaited something that is not trio's
                thrown = error
                continue
            if isinstance(outcome, Error) and isinstance(outcome.error, trio.Cancelled):
                if self._dropped and self._cancellation_delivered:
                    pin(main)
                    return
                # Otherwise it may be the cancellation of a scope that the check has opened itself.
                if self._dropped or self._scope.cancel_called:
                    self._cancellation_delivered = True
                if self._scope.cancel_called and not self._dropped:
                    self._shield.shield = True

    def _unshield(self) -> None:
        self._shield.shield = False
        self._scope.cancel()

    def _in_loop(self, callback: Callable[[], None]) -> None:
        try:
            if trio.lowlevel.in_trio_run() and trio.lowlevel.current_trio_token() is self._token:
                callback()
            else:
                self._token.run_sync_soon(callback)
        except trio.RunFinishedError:
            self._live.discard(self)


_live: WeakKeyDictionary[trio.lowlevel.TrioToken, set[TrioTask]] = WeakKeyDictionary()


def _live_tasks() -> set[TrioTask]:
    """Return the tasks of this run of trio; one more task drops them when trio ends."""
    token = trio.lowlevel.current_trio_token()
    if token not in _live:
        _live[token] = set()
        trio.lowlevel.spawn_system_task(
            _drop_at_the_end, _live[token], name="asgi-health end of trio", context=Context()
        )
    return _live[token]


async def _drop_at_the_end(live: set[TrioTask]) -> None:
    try:
        await trio.sleep_forever()
    finally:
        for task in tuple(live):
            task.drop()


class TrioFlag:
    """See `interface.Flag`."""

    __slots__ = ("_event", "_token")

    def __init__(self) -> None:
        self._event = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    def set(self) -> None:
        try:
            self._token.run_sync_soon(self._release, idempotent=True)
        except trio.RunFinishedError:  # and with it the task that waited
            return

    async def wait(self, seconds: float) -> None:
        with trio.move_on_after(seconds) if seconds != inf else trio.CancelScope():
            await self._event.wait()
        self._event = trio.Event()

    def _release(self) -> None:
        self._event.set()


class TrioBackend:
    """See `interface.Backend`."""

    __slots__ = ("_token",)

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()

    @property
    def loop(self) -> trio.lowlevel.TrioToken:
        return self._token

    def running(self) -> bool:
        try:
            self._token.run_sync_soon(_nothing, idempotent=True)
        except trio.RunFinishedError:
            return False
        return True

    def spawn(self, name: str, main: Main, ended: Callable[[], None], *, hidden: bool = False) -> TrioTask:
        task = TrioTask(_live_tasks())  # a system task, which no app can cancel
        trio.lowlevel.spawn_system_task(task.run, main, ended, name=name, context=Context())
        return task

    def flag(self) -> TrioFlag:
        return TrioFlag()

    def call(self, callback: Callable[[], None]) -> None:
        self._token.run_sync_soon(callback)


def _nothing() -> None:
    pass
