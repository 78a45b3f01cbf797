"""The handler of SIGTERM, installed in front of the one that the server has.

A signal reaches a server in one of two ways. Some servers set a handler (uvicorn, daphne). Others have their event loop
call them back (granian, gunicorn's asgi worker, hypercorn): the interpreter writes the number of each signal to the
descriptor that `signal.set_wakeup_fd` was given, and the loop reads it there. Both are taken over, and given back
before a signal is passed on by raising it once more: so the server receives it as it would without a Drain.
`loop.add_signal_handler` does not work: on granian with uvloop it loses the server's own, and the process never ends.
"""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class CannotHandle(Exception):
    """SIGTERM cannot be handled in this process; the text says why."""


class SigtermHandler:
    """Delay SIGTERM while `on_sigterm`, called for each one that arrives, returns True.

    `install`, `reinstall` and `remove` are called in the main thread, as everything about signals must be.

    Args:
        fileno: A descriptor to which the interpreter writes the numbers of signals; `forward` passes them on to the
            event loop.
        on_sigterm: Returns True to delay the signal until `pass_on`, False to let it through.
    """

    def __init__(self, fileno: int, on_sigterm: Callable[[], bool]) -> None:
        self._fileno = fileno
        self._on_sigterm = on_sigterm
        self._installed = False
        self._lets_through = False
        """Whether the next signal goes through: the first was passed on, or another Drain let it through."""
        self.pid = os.getpid()
        """The process that gets the signal; a forked child does not."""
        self._original: Any = None
        """What handled the signal before the first installation."""
        self._loop_fileno = -1
        """The descriptor from which the event loop reads its signals, -1 where it reads none."""

    @property
    def installed(self) -> bool:
        """Whether it is installed."""
        return self._installed

    def install(self) -> None:
        """Install it. Raises CannotHandle."""
        if self._installed:
            return
        if sys.platform == "win32":
            raise CannotHandle("Windows stops processes without a signal")
        if threading.current_thread() is not threading.main_thread():
            raise CannotHandle("the app does not run in the main thread, the only one that gets signals")
        previous = signal.getsignal(signal.SIGTERM)
        if previous is None:
            raise CannotHandle("it is handled outside of Python")
        if previous is signal.SIG_IGN or (_is_child_process() and _is_stopped_otherwise(previous)):
            raise CannotHandle("nothing in this worker process listens to it, its server stops it by other means")
        self._installed = True
        self._original = previous
        _installed_handlers.append(self)
        self._set_handler(previous)

    def reinstall(self) -> None:
        """Install it again if another handler replaced it: uvloop sets its own each time a loop runs."""
        if not self._installed:
            return
        present = signal.getsignal(signal.SIGTERM)
        # One of another Drain counts too: they would replace each other for ever.
        if isinstance(present, _Installation) and present.handler in _installed_handlers:
            self._set_wakeup_descriptor()
        else:
            self._set_handler(present)

    def remove(self) -> None:
        """Restore what was there. No effect when it is not installed, or in another thread than the main one."""
        if not self._installed or threading.current_thread() is not threading.main_thread():
            return
        self._installed = False
        _installed_handlers.remove(self)
        present = signal.getsignal(signal.SIGTERM)
        if isinstance(present, _Installation) and present.handler is self:  # perhaps an older one that was put back
            signal.signal(signal.SIGTERM, present.previous)
        current = signal.set_wakeup_fd(self._fileno, warn_on_full_buffer=False)
        if current == self._fileno:
            current = self._loop_fileno if _is_read(self._loop_fileno) else -1
        # Otherwise another loop has set its own, and that one stays: uvloop makes a new descriptor at each run, and
        # the number of the old one may by now belong to something else.
        try:
            signal.set_wakeup_fd(current, warn_on_full_buffer=False)
        except (OSError, ValueError):  # closed, with its loop
            pass
        self._loop_fileno = -1

    def pass_on(self) -> None:
        """Pass on the signal that this handler delays, once no other Drain of the process delays it.

        Once for each signal, and from any thread. No effect when none is delayed, or when it has gone through.
        """
        if os.getpid() != self.pid:  # a forked child, whose parent got the signal
            return
        with _passing_on:
            if self not in _delaying:
                return
            _delaying.discard(self)
            if _delaying:
                return
            # Also the handlers installed later, which would take it for a first signal. A copy: the main thread may
            # remove one meanwhile.
            for each in tuple(_installed_handlers):
                each._lets_through = True
        os.kill(os.getpid(), signal.SIGTERM)

    def forward(self, numbers: bytes) -> None:
        """Pass on to the event loop the signals that are not delayed. May be called in any thread."""
        others = bytes(number for number in numbers if number not in (0, signal.SIGTERM))
        fileno = self._loop_fileno
        if others and fileno != -1:
            try:
                os.write(fileno, others)
            except OSError:  # the buffer is full, so the loop is about to wake; or it is closed, with the loop
                return

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handle one SIGTERM: delay it, or let it through."""
        if self._installed:
            # A forked child is not the process that drains. All handlers are asked, so that their delays run in
            # parallel; each counts as delaying before it is asked, because a short delay may end before the next call.
            asked = [each for each in _installed_handlers if not each._lets_through] if os.getpid() == self.pid else []
            _delaying.clear()
            _delaying.update(asked)
            for each in asked:
                if not each._delays():
                    _delaying.discard(each)
            if _delaying:
                return
            for each in asked:  # those installed before this one are not asked a second time
                each._lets_through = True
            self.remove()
            signal.raise_signal(signal.SIGTERM)
        elif callable(self._original):  # a later handler calls this one, which calls the original
            self._original(number, frame)
        elif self._original is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)

    def _delays(self) -> bool:
        try:
            return self._on_sigterm()
        except Exception:  # raised into the code that the signal has interrupted, it would lose the signal
            return False

    def _set_handler(self, previous: Any) -> None:
        signal.signal(signal.SIGTERM, _Installation(self, previous))
        self._set_wakeup_descriptor()

    def _set_wakeup_descriptor(self) -> None:
        current = signal.set_wakeup_fd(self._fileno, warn_on_full_buffer=False)
        if current == -1:  # no loop reads one, or none any more
            signal.set_wakeup_fd(-1)
            self._loop_fileno = -1
        elif any(current == each._fileno for each in _installed_handlers if each is not self):
            signal.set_wakeup_fd(current, warn_on_full_buffer=False)
        elif current != self._fileno:
            self._loop_fileno = current


def is_delayed() -> bool:
    """Return whether a SIGTERM has come to this process and has not been passed on yet. May be called in any thread."""
    pid = os.getpid()
    return any(each.pid == pid for each in tuple(_delaying))


class _Installation:
    """One installation of a handler in front of `previous`: a new object each time, so that a restored one is seen."""

    def __init__(self, handler: SigtermHandler, previous: Any) -> None:
        self.handler = handler
        self.previous = previous

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.handler.handle(number, frame)


_installed_handlers: list[SigtermHandler] = []
"""An app and one that is mounted in it may each have a Drain."""

_delaying: set[SigtermHandler] = set()
"""The handlers that delay the present signal, some perhaps no longer installed. The last of them passes it on."""

_passing_on = threading.Lock()
"""Never taken by a signal handler, which may interrupt the code that holds it."""


def _is_read(fileno: int) -> bool:
    """Return whether a loop still reads what is written to the descriptor.

    trio closes its end before it removes the descriptor. For a signal that comes in between, the interpreter would
    print to stderr that it cannot write.
    """
    if fileno == -1:
        return False
    poll = select.poll()
    poll.register(fileno, 0)
    return not poll.poll(0)


def _is_child_process() -> bool:
    """Return whether multiprocessing started this process, which therefore has imported it."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _is_stopped_otherwise(previous: object) -> bool:
    """Return whether a worker process is stopped by other means than a signal, as hypercorn's command does it.

    Its workers ignore SIGINT, so that only their parent handles Ctrl-C, and they have no handler of SIGTERM.
    """
    return previous is signal.SIG_DFL and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
