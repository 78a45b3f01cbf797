"""The publisher of one engine: it passes each transition to the queue of each subscriber."""

from collections.abc import Iterable
from functools import partial
from math import inf
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet, finalize

import anyio

from ...core.engine import Engine
from ...core.logger import logger
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
        self._lock = Lock()
        """Held for a change of `_subscriptions` alone."""
        self._backend: Backend | None = None
        self._waits_for_idle: Flag | None = None
        engine.on_transition(self._put)
        # For an app that ends without a shutdown. Weak: a callback may refer to its Health, and thus to the engine.
        self._deliveries: WeakSet[Delivery] = WeakSet()
        finalize(engine, _stop, self._deliveries).atexit = False

    def subscribe(self, callback: "Callback", *, limit: int, timeout: float, in_loop: bool) -> "Subscription":
        """Call `callback` with each transition from now on: in the loop, or in a thread."""
        from .subscription import Queue, Subscription

        waiting = Queue(callback, limit, timeout, in_loop=in_loop)
        waiting.on_idle = self._idle
        delivery: Delivery
        if in_loop:
            from .task_delivery import TaskDelivery

            delivery = TaskDelivery(waiting)
        else:
            from .thread_delivery import ThreadDelivery

            delivery = ThreadDelivery(waiting)
        self._deliveries.add(delivery)
        subscription = Subscription(waiting, delivery, self._remove)
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
        backend = self._backend
        if backend is None:
            return subscription
        if not in_loop:  # at once: the loop may be blocked
            self._start(subscription, backend)
            return subscription
        try:
            backend.call(partial(self._start, subscription, backend))
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
            self._start(each, backend)

    def on_beat(self) -> None:
        """Log which subscriber takes too long."""
        for each in self._subscriptions:
            each.queue.note_late()

    async def flush(self) -> None:
        """Return when every subscriber has received everything, or after `LAST_SECONDS`."""
        flag = self._waits_for_idle = current_backend().flag()
        try:
            with anyio.move_on_after(LAST_SECONDS):
                while self._busy():
                    await flag.wait(inf)
        finally:
            self._waits_for_idle = None
        for each in self._busy():
            each.delivery.give_up()
            logger.warning(
                "subscriber %s has %d transitions left at the end, which waits for it no longer than %g s",
                each.queue.name,
                each.statistics().waiting,
                LAST_SECONDS,
            )

    def stop(self) -> None:
        """End: threads when they have delivered what waits, tasks now."""
        self._backend = None
        for each in self._subscriptions:
            each.delivery.abandon()

    def _put(self, transition: Transition) -> None:
        for each in self._subscriptions:
            each.queue.put(transition)
            each.delivery.wake()

    def _start(self, subscription: "Subscription", backend: "Backend") -> None:
        subscription.delivery.start(backend)
        # Afterwards: what ends it in another thread, before this, has not ended this delivery.
        if self._backend is None or subscription not in self._subscriptions:
            subscription.delivery.stop()

    def _remove(self, subscription: "Subscription") -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._dropped_before += subscription.statistics().dropped
            self._subscriptions = tuple(each for each in self._subscriptions if each is not subscription)
        subscription.delivery.stop()

    def _busy(self) -> list["Subscription"]:
        return [each for each in self._subscriptions if not each.queue.idle]

    def _idle(self) -> None:
        flag = self._waits_for_idle
        if flag is not None:
            flag.set()


def publisher_of(engine: Engine) -> Publisher:
    """Return the one publisher of `engine`, made at the first call."""
    with _making:
        if not isinstance(engine.publisher, Publisher):
            engine.publisher = Publisher(engine)
        return engine.publisher


_making = Lock()


def _stop(deliveries: Iterable["Delivery"]) -> None:
    for each in tuple(deliveries):
        each.stop()
