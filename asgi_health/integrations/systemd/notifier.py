"""Sends the messages of one lifespan: a task of the event loop and the thread of a subscriber."""

import os
from logging import ERROR
from math import inf
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from ...core.lifecycle import Phase
from ...core.logger import logger
from ...core.status import Probe, Status
from ...core.transition import ProbeTransition, Transition
from ...health import Health, engine_of
from ...runtime.backends.detection import current_backend
from ...runtime.drain.sigterm import is_delayed
from ...runtime.log_failure import log_failure
from .blocked_worker import BlockedWorker
from .environment import Environment
from .notify_socket import NotifySocket
from .status_line import status_line

if TYPE_CHECKING:
    from ...runtime.backends.interface import Backend, Flag, Task
    from ...runtime.publisher.subscription import Subscription

READY_DELAY = 0.1
"""Seconds from the pass of the startup probe to READY=1. Some servers (uvicorn, hypercorn) open their port right after
the app's startup, and ASGI has no event for that."""

EXTENSION = 15.0
"""Seconds by which each message extends the time to stop, while a SIGTERM is delayed."""

EXTENSION_PAUSE = 1.0
"""Seconds from one such message to the next."""

STATUS_PAUSE = 1.0
"""Seconds between two status lines while the status of readiness stays: a thousand checks may fail at once."""

SIGNAL_POLL = 0.5
"""Seconds within which a SIGTERM is noticed that comes in the middle of a drain."""

RETRY = 1.0
"""Seconds until a message that the socket did not take is sent again."""

HOST_POLL = 1.0
"""Seconds between two looks at the other workers of the host, at most."""

MIN_PAUSE, MAX_PAUSE = 0.01, 60.0
"""Seconds between two rounds of the task."""


class Notifier:
    """Notify systemd of the state of `health`, from `start` to `stop`.

    The task sends READY=1, WATCHDOG=1 and EXTEND_TIMEOUT_USEC=, so that a blocked loop sends none of them. The thread
    sends STATUS= and STOPPING=1, which a blocked loop does not delay. Both send again what the socket did not take.
    """

    def __init__(self, health: Health, environment: Environment) -> None:
        self._health = health
        self._engine = engine_of(health)
        self._socket = NotifySocket(environment.address)
        self._role = environment.role
        self._watchdog = environment.watchdog
        self._lock = Lock()
        """Held while a message is made and sent, which does not wait."""
        self._backend: Backend | None = None
        self._flag: Flag | None = None
        self._task: Task | None = None
        self._subscription: Subscription | None = None
        self._blocked_worker: BlockedWorker | None = None
        self._rounds = 0
        """Number of rounds of the task."""
        self._ready = self._stopping = self._terminating = self._failing = False
        self._status: str = ""
        self._status_changed = True
        self._host_shown: object = None
        self._blocked: frozenset[int] = frozenset()
        """Numbers of the processes of the other workers whose loop is blocked."""
        self._status_due = self._beat_due = self._extension_due = -inf
        self._ready_due = inf

    def start(self) -> None:
        """Begin, in the event loop that runs at the moment."""
        backend = self._backend = current_backend()
        flag = self._flag = backend.flag()
        # Now: the app's startup may block the loop before the task has begun.
        self._send([], monotonic())
        self._subscription = self._health.subscribe(self._on_transition)
        # Hidden: an app that cancels every task of its loop must not end it.
        self._task = backend.spawn("asgi-health systemd", lambda: self._run(flag), _nothing, hidden=True)
        if self._role == "worker":
            logger.info("systemd: this is a worker process, whose messages count only with NotifyAccess=all")
        if self._watchdog is not None and self._role == "worker":
            self._blocked_worker = BlockedWorker(self._watchdog, self._progress, self._request_restart)
            self._blocked_worker.start()

    def stop(self) -> None:
        """End, without waiting."""
        self._flag = None
        if self._task is not None:
            self._task.cancel()
        if self._subscription is not None:
            self._subscription.cancel()
        if self._blocked_worker is not None:
            self._blocked_worker.stop()
        with self._lock:
            if self._stopping and self._watchdog is not None:
                # STOPPING=1 has ended the watchdog, and each later WATCHDOG=1 has begun it again. From here on nothing
                # beats, and TimeoutStopSec= is to decide how long the process may take to exit.
                self._socket.send(["WATCHDOG_USEC=0"])
            self._socket.close()

    # -- in the thread of the subscription

    def _on_transition(self, transition: Transition) -> None:
        if isinstance(transition, ProbeTransition):
            if transition.probe is Probe.READINESS:
                self._send([], monotonic())
        else:
            self._status_changed = True
        flag = self._flag  # read once: `stop` sets it to None
        if flag is not None:
            flag.set()

    # -- in the loop

    async def _run(self, flag: "Flag") -> None:
        # Compared after each wait: a cancellation at the very moment at which the wait ends does not end the task.
        while self._flag is flag:
            self._rounds += 1
            try:
                pause = self._round(monotonic())
                self._failing = False
            except Exception as error:  # the clock may be code of the app
                pause = self._retry_pause
                if not self._failing:
                    self._failing = True
                    log_failure(ERROR, "systemd: no message can be made; this is tried again", error=error)
            await flag.wait(min(max(pause, MIN_PAUSE), MAX_PAUSE))

    def _round(self, now: float) -> float:
        """Send what is due at `now`, and return the seconds until the next round."""
        self._look_at_host()
        fields: list[str] = []
        is_ready, beats, extends = self._ready_is_due(now), False, False
        if is_ready:
            fields.append("READY=1")
        if self._watchdog is not None and now >= self._beat_due and not self._blocked:
            beats = True
            fields.append("WATCHDOG=1")
        if is_delayed() and now >= self._extension_due:
            extends = True
            fields.append(f"EXTEND_TIMEOUT_USEC={EXTENSION * 1_000_000:.0f}")
        if (fields or (self._status_changed and now >= self._status_due)) and not self._send(fields, now):
            return self._retry_pause
        self._ready = self._ready or is_ready
        if beats and self._watchdog is not None:
            self._beat_due = now + self._watchdog / 2
        if extends:
            self._extension_due = now + EXTENSION_PAUSE
        return min(self._due_times(now)) - now

    def _look_at_host(self) -> None:
        """Note what has changed about the other workers of the host, which is no transition of this one."""
        host = self._engine.host
        shown = None if host is None else host.shown
        if shown != self._host_shown:
            self._host_shown, self._status_changed = shown, True
        if self._watchdog is None:
            return
        blocked = frozenset[int]() if host is None else host.blocked(self._watchdog / 4)
        for pid in sorted(blocked - self._blocked):
            logger.warning("systemd: the event loop of worker %d is blocked: no WATCHDOG=1 is sent meanwhile", pid)
        self._blocked = blocked

    @property
    def _retry_pause(self) -> float:
        return RETRY if self._watchdog is None else min(RETRY, self._watchdog / 2)

    def _ready_is_due(self, now: float) -> bool:
        if self._ready or self._stopping or not self._startup_has_passed():
            return False
        self._ready_due = min(self._ready_due, now + READY_DELAY)
        return now >= self._ready_due

    def _due_times(self, now: float) -> list[float]:
        due = [inf]
        if self._engine.host is not None:
            due.append(now + HOST_POLL)
        if self._blocked and self._watchdog is not None:
            due.append(now + self._watchdog / 8)
        elif self._watchdog is not None:
            due.append(self._beat_due)
        if not self._ready:
            due.append(self._ready_due)
        if self._status_changed:
            due.append(self._status_due)
        if self._engine.phase is Phase.DRAINING:
            due.append(self._extension_due if is_delayed() else now + SIGNAL_POLL)
        return due

    # -- in the thread of a blocked worker

    def _progress(self) -> int | None:
        """Return a number that changes as long as the loop is not blocked; None where a block does not count."""
        backend = self._backend
        # Not once READY=1 is sent: the loop may be blocked before.
        serves = self._startup_has_passed() and not self._terminates()
        return self._rounds if serves and backend is not None and backend.running() else None

    def _request_restart(self) -> None:
        logger.error(
            "systemd: the event loop of this worker has been blocked for %g s; systemd restarts the service",
            self._watchdog,
        )
        with self._lock:
            self._socket.send(["WATCHDOG=trigger"])

    # -- in any thread

    def _startup_has_passed(self) -> bool:
        return self._engine.known(Probe.STARTUP).status is not Status.UNHEALTHY

    def _terminates(self) -> bool:
        # Kept: the signal is passed on some time before the server ends the lifespan.
        self._terminating = self._terminating or is_delayed() or self._engine.phase is Phase.STOPPED
        return self._terminating

    def _send(self, fields: list[str], now: float) -> bool:
        """Send `fields`, the status line if it has changed, and STOPPING=1 when that is due.

        Returns whether the socket has taken the message.
        """
        with self._lock:
            self._status_changed = False
            terminates = self._terminates()
            stops = terminates and self._role == "main" and not self._stopping
            if stops:
                fields = [*fields, "STOPPING=1"]
            try:
                status = status_line(self._engine, self._engine.clock(), terminating=terminates)
            except Exception:
                self._status_changed = True
                raise
            if self._role == "worker" and self._engine.host is None:
                status = f"worker {os.getpid()}: {status}"
            if status != self._status:
                fields = [*fields, f"STATUS={status}"]
            if fields and not self._socket.send(fields):
                self._status_changed = True
                return False
            self._stopping = self._stopping or stops
            self._status = status
            self._status_due = now + STATUS_PAUSE
            return True


def _nothing() -> None:
    pass
