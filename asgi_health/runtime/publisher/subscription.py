"""One subscriber: its queue, what it has received, and what it has missed."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from logging import ERROR
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from ...core.logger import logger
from ...core.transition import CheckTransition, Transition
from ..log_failure import log_failure

if TYPE_CHECKING:
    from ..backends.interface import Backend

Callback = Callable[[Transition], object]


@dataclass(frozen=True, slots=True)
class SubscriptionStatistics:
    """What has become of the transitions for one subscriber.

    Attributes:
        delivered: Calls that have ended, also those that failed.
        failed: Calls that raised an exception.
        late: Calls that took longer than the timeout.
        dropped: Transitions that were not delivered, because the queue was full of newer ones.
        waiting: Transitions in the queue, and the one that is being delivered.
    """

    delivered: int
    failed: int
    late: int
    dropped: int
    waiting: int


class Delivery(Protocol):
    """Calls the callback for each waiting transition, in a thread or in a task."""

    def start(self, backend: "Backend", /) -> None:
        """Begin, in the loop that runs at the moment. Called again, it begins again if it has ended."""

    def wake(self) -> None:
        """Deliver what waits. Called from any thread and from signal handlers."""

    def stop(self) -> None:
        """End when the present call has ended and nothing waits."""

    def abandon(self) -> None:
        """End now, as far as that is possible."""

    def give_up(self) -> None:
        """Do not wait for it when the interpreter ends: its last second is over."""


class Queue:
    """The transitions that wait for one callback, and the callback's record.

    `put` is called by one thread at a time, `pop`, `ended` and `interrupted` by the delivery alone.
    """

    def __init__(self, callback: Callback, limit: int, timeout: float, *, in_loop: bool) -> None:
        self.callback = callback
        self.name: str = getattr(callback, "__qualname__", type(callback).__qualname__)
        self.timeout = timeout
        self.on_idle: Callable[[], None] = _nothing
        """Called when nothing waits any more."""
        self._limit = limit
        self._in_loop = in_loop
        self._waiting: deque[Transition] = deque()
        self._closed = False
        self._began_at: float | None = None
        self._logged_late = False
        self._delivered = self._failed = self._late = self._dropped = 0

    def put(self, transition: Transition) -> None:
        """Add a transition. A full queue loses its oldest one."""
        self._waiting.append(transition)
        if len(self._waiting) > self._limit:
            try:
                self._waiting.popleft()
            except IndexError:  # all were delivered in between
                return
            self._dropped += 1

    def pop(self) -> Transition | None:
        """Return the next transition, whose delivery begins now; None when none waits."""
        self._began_at = monotonic()  # before it is taken: `idle` must not be true in between
        self._logged_late = False
        if self._closed:  # a `put` in another thread may have begun before it was
            self._waiting.clear()
        try:
            return self._waiting.popleft()
        except IndexError:
            self._began_at = None
            self.on_idle()
            return None

    def close(self) -> None:
        """Remove what waits, and what still comes."""
        self._closed = True
        self._waiting.clear()

    def interrupted(self) -> None:
        """Record that the present call, if there is one, has been cancelled at the end."""
        if self._began_at is not None:
            self._began_at = None
            self._delivered += 1
            self._failed += 1

    def ended(self, transition: Transition, error: BaseException | None) -> None:
        """Record that the callback has ended, with `error` where it raised one."""
        self.note_late()
        self._delivered += 1
        self._began_at = None
        if error is not None:
            self._failed += 1
        if error is not None and not (self._in_loop and self._logged_late):  # the end of a late call has been logged
            log_failure(ERROR, "subscriber %s failed on %s", self.name, _what(transition), error=error)

    def note_late(self) -> None:
        """Log that the present call takes longer than its timeout, if it does."""
        began = self._began_at
        if began is not None and monotonic() - began >= self.timeout:
            self.timed_out()

    def timed_out(self) -> None:
        """Log, once for each call, that the present one has not ended within its timeout."""
        if self._logged_late:
            return
        self._logged_late = True
        self._late += 1
        text = "the call is cancelled" if self._in_loop else "it receives nothing until it does"
        logger.warning("subscriber %s has not returned within its timeout of %g s; %s", self.name, self.timeout, text)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and no call goes on."""
        return not self._waiting and self._began_at is None

    def statistics(self) -> SubscriptionStatistics:
        """Return what has become of the transitions so far."""
        waiting = len(self._waiting) + (self._began_at is not None)
        return SubscriptionStatistics(self._delivered, self._failed, self._late, self._dropped, waiting)


class Subscription:
    """One subscriber of a Health, from `Health.subscribe` to `cancel`."""

    def __init__(self, queue: Queue, delivery: Delivery, remove: Callable[["Subscription"], None]) -> None:
        self.queue = queue
        self.delivery = delivery
        self._remove = remove

    def __repr__(self) -> str:
        return f"<Subscription of {self.queue.name}: {self.statistics()}>"

    def cancel(self) -> None:
        """End it: the callback is not called again; a call in progress goes on. May be repeated."""
        self.queue.close()
        self._remove(self)

    def statistics(self) -> SubscriptionStatistics:
        """Return what has become of the transitions so far."""
        return self.queue.statistics()


def _what(transition: Transition) -> str:
    if isinstance(transition, CheckTransition):
        return f"the change of check {transition.name!r}"
    return f"the change of {transition.probe.value}"


def _nothing() -> None:
    pass
