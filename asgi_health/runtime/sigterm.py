"""In front of what handles SIGTERM in this process.

Two ways lead from a signal to a server. Most set a handler (uvicorn, daphne). Others have their event loop called back
(granian, gunicorn's asgi worker, hypercorn): the interpreter writes the number of each signal to the descriptor that
`signal.set_wakeup_fd` was given, and the loop reads it there. Both are taken over, and given back before a signal is
passed on by being raised once more: so the server gets it in whatever way it always does.
`loop.add_signal_handler` is no way in: on granian with uvloop it loses the server's own, and the process never ends.
"""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing import parent_process
from types import FrameType
from typing import Any


class CannotHold(Exception):
    """SIGTERM cannot be held back in this process; the text says why."""


class Sigterm:
    """Hold SIGTERM back while `hold` says so, asked at each one that arrives.

    `fileno` is a descriptor that takes the numbers of the signals meant for the event loop: `forward` passes them on.
    `install`, `look` and `remove` belong to the main thread, as everything about signals does.
    """

    def __init__(self, fileno: int, hold: Callable[[], bool]) -> None:
        self._fileno = fileno
        self._hold = hold
        self._installed = False
        self._passes = False
        """Whether the next signal goes through, because the first was held and let go, or another Drain let it."""
        self._pid = os.getpid()
        self._original: Any = None
        """What handled the signal before this stood in front for the first time."""
        self._loops_fileno = -1
        """The descriptor from which the event loop reads its signals, -1 where it reads none."""

    @property
    def installed(self) -> bool:
        """Whether it stands in front."""
        return self._installed

    def install(self) -> None:
        """Step in front. Raises CannotHold."""
        if self._installed:
            return
        if sys.platform == "win32":
            raise CannotHold("Windows stops processes without a signal")
        if threading.current_thread() is not threading.main_thread():
            raise CannotHold("the app does not run in the main thread, the only one that gets signals")
        behind = signal.getsignal(signal.SIGTERM)
        if behind is None:
            raise CannotHold("it is handled outside of Python")
        if behind is signal.SIG_IGN or (parent_process() is not None and _is_ended_otherwise(behind)):
            raise CannotHold("nothing in this worker process listens to it, its server stops it by other means")
        self._installed = True
        self._original = behind
        _standing.append(self)
        self._step_in(behind)

    def look(self) -> None:
        """Step in front again if another handler did: uvloop's does, each time its loop is run."""
        if not self._installed:
            return
        front = signal.getsignal(signal.SIGTERM)
        if isinstance(front, _Front) and front.of in _standing:  # of another Drain too: they would overtake for ever
            self._watch_descriptor()
        else:
            self._step_in(front)

    def remove(self) -> None:
        """Give everything back. No effect when it was not installed, or in another thread than the main one."""
        if not self._installed or threading.current_thread() is not threading.main_thread():
            return
        self._installed = False
        _standing.remove(self)
        front = signal.getsignal(signal.SIGTERM)
        if isinstance(front, _Front) and front.of is self:  # perhaps an older one, that other code has put back
            signal.signal(signal.SIGTERM, front.behind)
        current = signal.set_wakeup_fd(self._fileno, warn_on_full_buffer=False)
        if current == self._fileno:
            current = self._loops_fileno if _is_read(self._loops_fileno) else -1
        # Otherwise another loop has put its own there, and that one stays: uvloop makes a new descriptor at each run,
        # and what the number of the old one stands for by now is not known.
        try:
            signal.set_wakeup_fd(current, warn_on_full_buffer=False)
        except (OSError, ValueError):  # closed, with its loop
            pass
        self._loops_fileno = -1

    def let_go(self) -> None:
        """Hold back no longer what this one holds: it is passed on when no other Drain of the process holds it.

        Once for each signal, and from any thread. No effect when nothing is held, or when it went through meanwhile.
        """
        if os.getpid() != self._pid:  # a forked child, whose parent got the signal
            return
        with _letting_go:
            if self not in _holding:
                return
            _holding.discard(self)
            if _holding:
                return
            # Those too that came later, and would take it for a first one. A copy: the main thread may remove one.
            for each in tuple(_standing):
                each._passes = True
        os.kill(os.getpid(), signal.SIGTERM)

    def forward(self, numbers: bytes) -> None:
        """Pass on the signals of the event loop that are not held back. May be called in any thread."""
        others = bytes(number for number in numbers if number not in (0, signal.SIGTERM))
        fileno = self._loops_fileno
        if others and fileno != -1:
            try:
                os.write(fileno, others)
            except OSError:  # full, so the loop is about to wake anyway; or closed, with the loop
                return

    def _asks_to_hold(self) -> bool:
        try:
            return self._hold()
        except Exception:  # raised in the code that the signal has interrupted, it would be the end of the signal
            return False

    def _step_in(self, behind: Any) -> None:
        signal.signal(signal.SIGTERM, _Front(self, behind))
        self._watch_descriptor()

    def _watch_descriptor(self) -> None:
        current = signal.set_wakeup_fd(self._fileno, warn_on_full_buffer=False)
        if current == -1:  # no loop reads one, or none any more
            signal.set_wakeup_fd(-1)
            self._loops_fileno = -1
        elif any(current == each._fileno for each in _standing if each is not self):
            signal.set_wakeup_fd(current, warn_on_full_buffer=False)
        elif current != self._fileno:
            self._loops_fileno = current

    def handle(self, number: int, frame: FrameType | None) -> None:
        if self._installed:
            # A forked child is not the process that drains. All are asked, so that their delays run side by side; each
            # counts before it is asked, because a short delay may be over before the next one is.
            asked = [each for each in _standing if not each._passes] if os.getpid() == self._pid else []
            _holding.clear()
            _holding.update(asked)
            for each in asked:
                if not each._asks_to_hold():
                    _holding.discard(each)
            if _holding:
                return
            for each in asked:  # those behind this one are not asked a second time
                each._passes = True
            self.remove()
            signal.raise_signal(signal.SIGTERM)
        elif callable(self._original):  # what came after us hands on to us what we hand on to it
            self._original(number, frame)
        elif self._original is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)


class _Front:
    """What stands in front of `behind`: a new one each time, so that it is seen when an older one is put back."""

    def __init__(self, of: Sigterm, behind: Any) -> None:
        self.of = of
        self.behind = behind

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.of.handle(number, frame)


_standing: list[Sigterm] = []
"""Those that are installed: an app and one that is mounted in it may each have a Drain."""

_holding: set[Sigterm] = set()
"""Those that hold the present signal back, some perhaps installed no longer. The last to let go passes it on."""

_letting_go = threading.Lock()
"""Never taken by a handler of signals, which may interrupt the code that has it."""


def _is_read(fileno: int) -> bool:
    """Tell whether a loop still reads what is written to the descriptor.

    trio closes its end before it takes the descriptor out. A signal that comes in between would have the interpreter
    complain on stderr that it cannot write.
    """
    if fileno == -1:
        return False
    poll = select.poll()
    poll.register(fileno, 0)
    return not poll.poll(0)


def _is_ended_otherwise(behind: object) -> bool:
    """Tell whether a worker process is ended by other means than a signal, as hypercorn's command does it.

    Its workers ignore SIGINT, so that Ctrl-C is the affair of their parent alone, and have no handler of SIGTERM.
    """
    return behind is signal.SIG_DFL and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
