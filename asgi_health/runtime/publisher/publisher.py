"""The publisher of one engine: it passes each transition to the queue of each subscriber."""

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING
from weakref import finalize

from ...core.engine import Engine
from ...core.transition import Transition
from ..backends.detection import current_backend

if TYPE_CHECKING:
    from ..backends.interface import Backend, Flag
    from .subscription import Callback, Delivery, Subscription

LAST_SECONDS = 1.0
"""Seconds for which the end of the checks waits until the last transitions are delivered, at most."""


class Publisher:
    """Deliver the transitions of an engine to its subscribers, from `start` to `stop`.

    What happens before the start waits in the queues. No subscriber can delay a check, a probe or another subscriber.
    """

    def __init__(self, engine: Engine) -> None:
        self._subscriptions: tuple[Subscription, ...] = ()
        self._dropped_before = 0
        self._backend: Backend | None = None
        self._waits_for_idle: Flag | None = None
        engine.on_transition(self._put)

    def subscribe(self, callback: "Callback", *, limit: int, timeout: float, in_loop: bool) -> "Subscription":
        """Call `callback` with each transition from now on: in the loop, or in a thread."""
        from .subscription import Queue, Subscription

        waiting = Queue(callback, limit, timeout)
        waiting.on_idle = self._idle
        delivery: Delivery
        if in_loop:
            from .task_delivery import TaskDelivery

            delivery = TaskDelivery(waiting)
        else:
            from .thread_delivery import ThreadDelivery

            delivery = ThreadDelivery(waiting)
        subscription = Subscription(waiting, delivery, self._remove)
        self._subscriptions = (*self._subscriptions, subscription)
        backend = self._backend
        if backend is not None:
            try:
                backend.call(partial(delivery.start, backend))  # in the thread of the loop
            except RuntimeError:  # the loop has ended; `start` follows with the next one
                self._backend = None
        return subscription

    @property
    def has_subscribers(self) -> bool:
        """Whether there are subscribers."""
        return bool(self._subscriptions)

    @property
    def dropped(self) -> int:
        """Number of transitions that subscribers have missed, those that have ended included."""
        return self._dropped_before + sum(each.statistics().dropped for each in self._subscriptions)

    def start(self) -> None:
        """Begin, or go on, in the loop that runs at the moment."""
        backend = current_backend()
        if self._backend is not None and self._backend.loop is backend.loop:
            return
        self._backend = backend
        for each in self._subscriptions:
            each.delivery.start(backend)

    def on_beat(self) -> None:
        """Log which subscriber takes too long."""
        for each in self._subscriptions:
            each.queue.note_late()

    async def flush(self) -> None:
        """Return when every subscriber has received everything, or after `LAST_SECONDS`."""
        flag = self._waits_for_idle = current_backend().flag()
        end = monotonic() + LAST_SECONDS
        try:
            while any(not each.queue.idle for each in self._subscriptions) and (left := end - monotonic()) > 0:
                await flag.wait(left)
        finally:
            self._waits_for_idle = None

    def stop(self) -> None:
        """End: threads when they have delivered what waits, tasks now."""
        self._backend = None
        for each in self._subscriptions:
            each.delivery.abandon()

    def _put(self, transition: Transition) -> None:
        for each in self._subscriptions:
            each.queue.put(transition)
            each.delivery.wake()

    def _remove(self, subscription: "Subscription") -> None:
        if subscription in self._subscriptions:
            self._dropped_before += subscription.statistics().dropped
            self._subscriptions = tuple(each for each in self._subscriptions if each is not subscription)
            backend = self._backend
            if backend is None:
                subscription.delivery.stop()
                return
            try:
                backend.call(subscription.delivery.stop)
            except RuntimeError:  # the loop has ended
                subscription.delivery.stop()

    def _idle(self) -> None:
        flag = self._waits_for_idle
        if flag is not None:
            flag.set()


def publisher_of(engine: Engine) -> Publisher:
    """Return the one publisher of `engine`, made at the first call."""
    if not isinstance(engine.publisher, Publisher):
        engine.publisher = publisher = Publisher(engine)
        finalize(engine, publisher.stop).atexit = False  # the threads of an app that ended without a shutdown
    return engine.publisher
