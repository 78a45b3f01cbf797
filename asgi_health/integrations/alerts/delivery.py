"""Delivers the news to one target in a thread of its own: a receiver that hangs delays nothing else."""

from contextlib import suppress
from dataclasses import dataclass
from random import random
from threading import Condition, Thread
from time import monotonic, time
from typing import cast

from ...core.logger import logger
from ...formats.redact import redact
from .incidents import News
from .outbox import Batch, Outbox
from .render import Sender, render
from .target import DeliveryError, Rejected, Target

TIMEOUT = 10.0
"""Seconds within which a target must have delivered a message, or failed."""


@dataclass(frozen=True, slots=True)
class TargetStatistics:
    """What has become of the messages to one target, since the start of the process.

    Attributes:
        name: Name of the target.
        sent: Messages that the receiver has accepted.
        failed: Tries that failed.
        retried: Tries that followed a failed one.
        merged: Messages that became part of a later one, because the receiver was not ready for them.
        dropped: Incidents in messages that the receiver refused, or did not accept until the app stopped, or for an
            hour after the end of the incident. An incident of several such messages counts several times.
        late: Tries that took longer than their timeout.
        waiting: Incidents whose message waits or is being sent.
        last_error: Why the last failed try failed, without credentials; None while the last try has succeeded.
    """

    name: str
    sent: int
    failed: int
    retried: int
    merged: int
    dropped: int
    late: int
    waiting: int
    last_error: str | None


class Delivery:
    """Send the news to one target, from `start` to `close`; it may be started again.

    One call of the target at a time. A failed one is repeated until it succeeds, after pauses that grow, and each time
    with the news of the meantime.

    Args:
        target: The target.
        name: Its name, cut and cleaned, and different from those of the others.
    """

    def __init__(self, target: Target, name: str) -> None:
        self.name = name
        self.target = target
        self._outbox = Outbox()
        self._condition = Condition()
        self._thread: Thread | None = None
        self._sender = Sender(None, "", 0)
        self._closes_at: float | None = None
        self._gave_up = self._is_last_try = False
        self._sending_since: float | None = None
        self._logged_late = False
        self._sent = self._failed = self._retried = self._late = 0
        self._last_error: str | None = None

    def start(self, sender: Sender) -> None:
        """Begin. Raises RuntimeError where the system gives no thread.

        A thread that hangs since the lifespan before goes on: a second one would hang too.
        """
        alive = self._thread is not None and self._thread.is_alive()
        if not alive:
            self._condition = Condition()  # that of a parent process may be held by a thread which this one has not
            self._sending_since = None
        with self._condition:
            self._closes_at = None
            self._gave_up = self._is_last_try = False
            self._condition.notify_all()
            self._sender = sender
            self._outbox.drop()
            if not alive or self._thread is None:
                name = f"asgi-health alerts to {self.name}"
                thread = Thread(target=self._run, args=(self._condition,), name=name, daemon=True)
                thread.start()
                self._thread = thread

    def put(self, news: News) -> None:
        """Send `news`, soon and together with what waits."""
        with self._condition:
            self._outbox.put(news)
            self._condition.notify_all()

    def close(self, end: float) -> None:
        """Try once more what waits, and end after that, or at `end` (monotonic seconds)."""
        with self._condition:
            if self._closes_at is None:
                self._closes_at = end
                self._outbox.next_try = min(self._outbox.next_try, monotonic())
            self._condition.notify_all()

    def wait_until_closed(self, end: float) -> None:
        """Return when that has ended. Drop, count and log what still waits then."""
        with self._condition:
            self._condition.wait_for(
                lambda: not self._outbox.waiting or self._gave_up or self._closes_at != end, max(0.0, end - monotonic())
            )
            if self._closes_at != end:  # it has been started again
                return
            left = self._outbox.drop()
            self._condition.notify_all()
        if left:
            logger.warning(
                "alerts: the app has stopped, and %s was not notified of %s: %s",
                self.name,
                "1 incident" if left == 1 else f"{left} incidents",
                self._last_error or "no answer yet",
            )

    def note_late(self, now: float) -> None:
        """Log, once for each call, that the present one takes longer than its timeout."""
        since = self._sending_since
        if since is not None and now - since > TIMEOUT + 1 and not self._logged_late:
            self._logged_late = True
            self._late += 1
            logger.warning(
                "alerts: %s has not returned within its timeout of %g s; it gets no message until it does",
                self.name,
                TIMEOUT,
            )

    def statistics(self) -> TargetStatistics:
        """Return what has become of the messages so far."""
        outbox = self._outbox
        return TargetStatistics(
            self.name,
            self._sent,
            self._failed,
            self._retried,
            outbox.merged,
            outbox.dropped,
            self._late,
            outbox.waiting,
            self._last_error,
        )

    def _run(self, condition: Condition) -> None:
        while (taken := self._next(condition)) is not None:
            batch, timeout = taken
            error = self._send(batch, timeout)
            with condition:
                self._sending_since = None
                if error is None:
                    self._note_success()
                    self._outbox.succeeded(batch)
                else:
                    self._note_failure(error)
                    if isinstance(error, Rejected):
                        self._outbox.rejected(batch)
                    if self._is_last_try:
                        self._gave_up = True
                    elif self._closes_at is not None:
                        self._outbox.next_try = monotonic()
                condition.notify_all()
            del error  # it keeps its stack frames alive

    def _next(self, condition: Condition) -> tuple[Batch, float] | None:
        """Wait for the next message, and return it and the time for it; None at the end."""
        with condition:
            while True:
                now = monotonic()
                closes_at, next_try = self._closes_at, self._outbox.next_try
                if closes_at is not None and (now >= closes_at or self._gave_up or not self._outbox.waiting):
                    self._thread = None
                    return None
                batch = self._outbox.take(now) if now >= next_try else None
                if batch is not None:
                    self._sending_since, self._logged_late = now, False
                    self._is_last_try = closes_at is not None
                    self._retried += self._outbox.failures > 0
                    return batch, TIMEOUT if closes_at is None else min(TIMEOUT, closes_at - now)
                ends = [each for each in (closes_at, next_try) if each is not None and each > now]
                condition.wait(min(ends) - now if ends else None)

    def _send(self, batch: Batch, timeout: float) -> BaseException | None:
        try:
            message = render(batch.entries, batch.open, self._sender, id=batch.id, now=monotonic(), wall=time())
            self.target.send(message, timeout)
        except BaseException as error:  # SystemExit would end the thread
            return error
        return None

    def _note_success(self) -> None:
        self._sent += 1
        self._last_error = None
        failures = self._outbox.failures
        if failures:
            tries = "1 failed try" if failures == 1 else f"{failures} failed tries"
            logger.info("alerts: %s accepts messages again, after %s", self.name, tries)

    def _note_failure(self, error: BaseException) -> None:
        self._failed += 1
        self._last_error = reason_of(error)
        self._outbox.failed(monotonic(), random(), _retry_after(error))
        if self._outbox.failures == 1:
            what = "refused a message, which is lost" if isinstance(error, Rejected) else "not accepted a message"
            logger.warning(
                "alerts: %s has %s: %s; later ones are tried until it accepts one", self.name, what, self._last_error
            )


def reason_of(error: BaseException) -> str:
    """Return why a message was not delivered. Of an unknown exception the type alone: its text may hold a URL."""
    if isinstance(error, DeliveryError):
        with suppress(Exception):  # the class may be code of the app
            return redact(str(error), 200)
    return type(error).__name__


def _retry_after(error: BaseException) -> float | None:
    """Return the seconds for which the receiver asks to wait; None where it does not say so.

    Exceptions of client libraries have an attribute of that name too, which may be a string or a timedelta.
    """
    if isinstance(error, DeliveryError):
        with suppress(Exception):
            return float(cast("float", error.retry_after))
    return None
