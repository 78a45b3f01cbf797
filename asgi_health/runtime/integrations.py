"""Starts and stops the integrations of one app, each isolated from the others."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from logging import ERROR
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet

from ..listener.interface import CannotListen
from .backends.detection import current_backend
from .log_failure import log_failure

if TYPE_CHECKING:
    from .backends.interface import Backend


@dataclass(eq=False)
class BoundIntegration:
    """An integration, and the Health that it is started with.

    Attributes:
        name: Name of its class, for the log.
        integration: The integration.
        health: The Health.
        on_start: Starts it with the Health. Raises CannotListen for an address that cannot be bound.
        on_stop: Stops it, without waiting.
    """

    name: str
    integration: object
    health: object
    on_start: Callable[[], None]
    on_stop: Callable[[], None]
    _pid: int = field(default=0, init=False)
    _backend: "Backend | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start it. Raises RuntimeError while another app uses it, which its start and stop would take it from."""
        with _lock:
            if any(each.is_for_another_app_than(self) for each in _started):
                raise RuntimeError("another app uses it at the moment; make one for each app")
            self._pid = os.getpid()
            self._backend = current_backend()
            _started.add(self)
        self.on_start()

    def stop(self) -> None:
        """Stop it. No effect without a start, after one that was refused, and in a process forked since the start.

        Such a process would remove files and sockets that its parent goes on to use.
        """
        with _lock:
            if self not in _started:
                return
            _started.discard(self)
            self._backend = None
        if self._pid == os.getpid():
            self.on_stop()

    def is_for_another_app_than(self, other: "BoundIntegration") -> bool:
        """Return whether it is the same integration with another Health, in a loop that runs, in this process."""
        backend = self._backend
        differs = self.integration is other.integration and self.health is not other.health
        return differs and backend is not None and self._pid == os.getpid() and backend.running()


_started: WeakSet[BoundIntegration] = WeakSet()
"""What has been started and not stopped. Weak: an app may end without a shutdown."""

_lock = Lock()
"""Held for a look at `_started`: apps may start in several threads."""


def start_integrations(integrations: Sequence[BoundIntegration]) -> None:
    """Start all of `integrations`; then raise the first CannotListen, if any. Other exceptions are logged."""
    cannot_listen: CannotListen | None = None
    for each in integrations:
        try:
            each.start()
        except CannotListen as error:
            cannot_listen = cannot_listen or error
        except Exception as error:  # no integration may keep the app from starting, except for an address in use
            log_failure(ERROR, "integration %s cannot start, and the app starts without it", each.name, error=error)
    if cannot_listen is not None:
        raise cannot_listen


def stop_integrations(integrations: Sequence[BoundIntegration]) -> None:
    """Stop all of `integrations`, the last first. Exceptions are logged."""
    for each in reversed(integrations):
        try:
            each.stop()
        except Exception as error:
            log_failure(ERROR, "integration %s failed to stop", each.name, error=error)
