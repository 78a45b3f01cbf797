"""A listener that answers before there is an app, and is taken over by it."""

import os
import socket

from ..core.listener import Listener
from ..core.logger import logger
from .addresses import bind
from .listener_thread import ListenerThread
from .listening import Listening, Respond

PATIENCE = 2.0
"""Seconds for which a forked process waits until the one that it was forked from has let go of the address."""


class _Early:
    """A listener that runs already.

    Threads do not survive a fork: under `gunicorn --preload` the master listens, and a worker has the app. Through a
    pair of sockets, which both have, the worker asks the master to leave.
    """

    def __init__(self, listener: Listener, respond: Respond) -> None:
        self._process = os.getpid()
        self.has_left = False
        """Whether it was sent away, and its address belongs to a process that was forked."""
        self._asked, self._asking = socket.socketpair()
        self._asked.setblocking(False)
        try:
            self._thread = ListenerThread(bind(listener), respond)
            self._thread.notice(self._asked, self._asked_or_over)
            self._thread.start()
        except BaseException:
            self._close()
            raise

    @property
    def inherited(self) -> bool:
        """Whether its thread is one of the process that this one was forked from."""
        return self._process != os.getpid()

    def hand_over(self, respond: Respond) -> Listening:
        """Have others answer from now on."""
        self._thread.respond = respond
        try:
            self._asking.shutdown(socket.SHUT_RDWR)  # the thread closes both: no process may ask it to leave any more
        except OSError:  # the thread has ended
            pass
        return self._thread

    def send_away(self) -> None:
        """Have the process that this one was forked from let go of the address."""
        try:
            self._asking.settimeout(PATIENCE)
            self._asking.send(b"1")
            self._asking.recv(1)  # the end: it has left, or had left before
        except OSError:  # it left before this process was forked, or does not hear, and binding will tell
            pass

    def _asked_or_over(self) -> None:
        try:
            asked = self._asked.recv(1)
        except OSError:
            asked = b""
        if asked:
            logger.info("the listener ends: a process that was forked answers from now on")
            self.has_left = True
            self._thread.stop()
        self._close()

    def _close(self) -> None:
        try:
            self._asked.shutdown(socket.SHUT_RDWR)  # processes that were forked hold it too
        except OSError:
            pass
        self._asked.close()
        self._asking.close()


_early: dict[str, _Early] = {}
_inherited: list[_Early] = []
"""Of processes that were forked. Kept, because their loops share descriptors with the other process: closed here, they
would no longer wake there."""


def listen_now(listener: Listener, respond: Respond) -> None:
    """Answer from now on. No effect where that is so already. Raises CannotListen or RuntimeError."""
    _early[listener.address] = _take(listener) or _Early(listener, respond)


def open_listener(listener: Listener, respond: Respond) -> Listening:
    """Return what answers at the address: the one that does already, or a new one. Raises CannotListen."""
    early = _take(listener)
    return ListenerThread(bind(listener), respond) if early is None else early.hand_over(respond)


def _take(listener: Listener) -> _Early | None:
    """Return the early listener of this process, for the caller alone; ask that of another process to leave."""
    early = _early.pop(listener.address, None)
    if early is not None and early.inherited:
        _inherited.append(early)
        early.send_away()
        return None
    return None if early is None or early.has_left else early
