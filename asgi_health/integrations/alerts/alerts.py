"""The integration: it watches a Health, and sends what is news to each target."""

import atexit
import os
import socket
from collections.abc import Iterable
from math import inf
from time import monotonic
from typing import cast
from weakref import WeakSet

from ...core.check import is_async
from ...core.result import NAME_LIMIT, unique_name
from ...core.status import Status
from ...core.validate import require_seconds, require_seconds_or_zero, require_type
from ...formats.redact import redact
from ...health import Health
from .delivery import Delivery, TargetStatistics
from .incidents import Limits
from .observer import Observer
from .render import Sender
from .target import Target


class Alerts:
    """Send one message when checks fail or the event loop is blocked, and one when that is over.

    ``HealthMiddleware(app, checks, integrations=[Alerts(["slack://..."])])``.

    Checks that fail within `wait` seconds are one message, and so are those that recover. While something fails, a
    reminder comes every `repeat` seconds. What begins and ends again and again gets one message that says that it is
    flapping, and one when it no longer changes. The start, a drain and the end of the app are no incidents.

    Messages are sent from threads of their own, which delay no check and no probe, and the end of the app by 0.9
    seconds at most. A receiver that fails is tried again until it accepts the news, all of it in one message.

    With a Board the workers of a host share their incidents, and one of them sends. Without one each worker sends its
    own messages, which name the host and the process.

    Args:
        targets: Where messages go: URLs of Apprise, Webhooks, or other objects with the methods of Target.
        minimum: UNHEALTHY for what makes a probe fail; DEGRADED for warnings, and failures of checks that are not
            critical, too.
        repeat: Seconds from one message to a reminder of what is still open; 0 for no reminders.
        wait: Seconds from a change to its message. What is over by then makes no message.
        service: Name and perhaps version of the app, for the messages.

    Raises:
        TypeError, ValueError: for an argument that could not work. No error shows the URL of a target.
        ModuleNotFoundError: for a URL of Apprise when Apprise is not installed.
    """

    def __init__(
        self,
        targets: Iterable[str | Target],
        *,
        minimum: Status = Status.UNHEALTHY,
        repeat: float = 600.0,
        wait: float = 2.0,
        service: str | None = None,
    ) -> None:
        require_type("alerts: minimum", minimum, Status)
        if minimum is Status.HEALTHY:
            raise ValueError("alerts: minimum must be Status.DEGRADED or Status.UNHEALTHY, not Status.HEALTHY")
        require_seconds("alerts: wait", wait)
        require_seconds_or_zero("alerts: repeat", repeat)
        if 0 < repeat < wait:
            raise ValueError(f"alerts: repeat {repeat:g} s must not be shorter than wait {wait:g} s")
        if service is not None:
            require_type("alerts: service", service, str)
        names: list[str] = []
        self._deliveries: list[Delivery] = []
        for target in _require_targets(targets):
            names.append(unique_name(redact(target.name, NAME_LIMIT), names))
            self._deliveries.append(Delivery(target, names[-1]))
        self._minimum = minimum
        self._limits = Limits(wait=wait, repeat=repeat or inf)
        self._service = service
        self._observer: Observer | None = None

    def start(self, health: Health, /) -> None:
        """Watch `health`. HealthMiddleware calls it with each lifespan.

        Raises:
            RuntimeError: if it watches the Health of another app, or the system gives no thread.
        """
        if self._observer is not None:
            if self._observer.watches_another(health):
                raise RuntimeError("alerts: they watch another app at the moment; make an Alerts for each app")
            self._observer.abandon()
        sender = Sender.of(self._service, socket.gethostname(), os.getpid())
        observer = Observer(health, self._deliveries, self._limits, self._minimum)
        try:
            for delivery in self._deliveries:
                delivery.start(sender)
            observer.start()
        except RuntimeError:  # can't start new thread
            for delivery in self._deliveries:
                delivery.close(monotonic())
            raise
        self._observer = observer
        _observers.add(observer)

    def stop(self) -> None:
        """Stop without waiting. Threads send what is left, within 0.9 seconds."""
        if self._observer is not None:
            self._observer.close()

    @property
    def targets(self) -> tuple[tuple[str, Target], ...]:
        """The targets with their names, which differ, in their order."""
        return tuple((each.name, each.target) for each in self._deliveries)

    @property
    def service(self) -> str | None:
        """Name and perhaps version of the app."""
        return self._service

    def statistics(self) -> tuple[TargetStatistics, ...]:
        """Return what has become of the messages to each target, in the order of the targets."""
        return tuple(each.statistics() for each in self._deliveries)


def _require_targets(targets: object) -> list[Target]:
    if not isinstance(targets, Iterable) or isinstance(targets, str | bytes):
        raise TypeError(f"alerts: targets must be a list of URLs and Targets, not one of {type(targets).__qualname__}")
    found = [target_of(each) for each in cast("Iterable[object]", targets)]
    if not found:
        raise ValueError("alerts: targets is empty; expected at least one URL or Target")
    return found


def target_of(target: object) -> Target:
    """Return the target that a URL of Apprise stands for, or `target` itself.

    Raises:
        TypeError, ValueError: for what is neither a URL of Apprise nor a Target.
        ModuleNotFoundError: if Apprise is not installed.
    """
    if isinstance(target, str):
        from .apprise_target import AppriseTarget

        return AppriseTarget(target)
    name, send = getattr(target, "name", None), getattr(target, "send", None)
    if isinstance(target, type) or not callable(send) or not isinstance(name, str):
        raise TypeError(
            f"alerts: a target must be a URL of Apprise or an object with a name and a method send, not one of"
            f" {type(target).__qualname__}"
        )
    if is_async(send):
        raise TypeError(
            f"alerts: send of {type(target).__qualname__} must be a plain function, because a thread calls it"
        )
    return cast("Target", target)


_observers: WeakSet[Observer] = WeakSet()


@atexit.register
def _send_the_last() -> None:
    """Send the last messages where no lifespan has said that the process ends. Daemon threads still run here."""
    observers = tuple(_observers)
    for observer in observers:
        observer.close()
    for observer in observers:
        observer.wait_until_closed()
