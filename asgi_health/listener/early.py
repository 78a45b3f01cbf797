"""A listener that answers before the app exists, and that the app takes over."""

import os
import socket

from ..core.logger import logger
from .config import Listener
from .interface import Respond, RunningListener
from .server import ListenerThread
from .sockets import bind

HANDOVER_TIMEOUT = 2.0
"""Seconds for which a forked process waits until its parent has released the address."""


class _EarlyListener:
    """A listener that runs before the app.

    Threads do not survive a fork: under `gunicorn --preload` the master listens, and a worker has the app. Through a
    socket pair, which both inherit, the worker asks the master to stop listening.
    """

    def __init__(self, listener: Listener, respond: Respond) -> None:
        self._process = os.getpid()
        self.released = False
        """Whether it has stopped because a forked process asked for its address."""
        self._parent_end, self._child_end = socket.socketpair()
        self._parent_end.setblocking(False)
        try:
            self._thread = ListenerThread(bind(listener), respond)
            self._thread.on_readable(self._parent_end, self._asked_or_handed_over)
            self._thread.start()
        except BaseException:
            self._close()
            raise

    @property
    def inherited(self) -> bool:
        """Whether its thread belongs to the parent process."""
        return self._process != os.getpid()

    def hand_over(self, respond: Respond) -> RunningListener:
        """Return the listener, which answers by `respond` from now on."""
        self._thread.respond = respond
        try:
            self._child_end.shutdown(socket.SHUT_RDWR)  # the thread closes both: no process may ask it to stop any more
        except OSError:  # the thread has ended
            pass
        return self._thread

    def ask_parent_to_release(self) -> None:
        """Ask the parent process to release the address."""
        try:
            self._child_end.settimeout(HANDOVER_TIMEOUT)
            self._child_end.send(b"1")
            self._child_end.recv(1)  # end of file: it has released the address, now or before
        except OSError:  # it had released it before the fork, or does not answer: then bind() fails
            pass

    def _asked_or_handed_over(self) -> None:
        try:
            asked = self._parent_end.recv(1)
        except OSError:
            asked = b""
        if asked:
            logger.info("the listener ends: a forked process answers from now on")
            self.released = True
            self._thread.stop()
        self._close()

    def _close(self) -> None:
        try:
            self._parent_end.shutdown(socket.SHUT_RDWR)  # forked processes have it open too
        except OSError:
            pass
        self._parent_end.close()
        self._child_end.close()


_early: dict[str, _EarlyListener] = {}
_inherited: list[_EarlyListener] = []
"""Listeners of the parent process. Kept, because their loops share descriptors with it: closing them here would keep
the parent's loop from waking."""


def listen_now(listener: Listener, respond: Respond) -> None:
    """Answer from now on. No effect where an early listener does already. Raises CannotListen or RuntimeError."""
    _early[listener.address] = _take(listener) or _EarlyListener(listener, respond)


def open_listener(listener: Listener, respond: Respond) -> RunningListener:
    """Return the listener at the address: the early one, or a new one. Raises CannotListen."""
    early = _take(listener)
    return ListenerThread(bind(listener), respond) if early is None else early.hand_over(respond)


def _take(listener: Listener) -> _EarlyListener | None:
    """Remove and return the early listener of this process; ask that of the parent process to stop."""
    early = _early.pop(listener.address, None)
    if early is not None and early.inherited:
        _inherited.append(early)
        early.ask_parent_to_release()
        return None
    return None if early is None or early.released else early
