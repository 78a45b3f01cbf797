"""Starts and stops the integrations of one app, each isolated from the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging import ERROR

from ..listener.interface import CannotListen
from .log_failure import log_failure


@dataclass(frozen=True, slots=True)
class BoundIntegration:
    """An integration, and the Health that it is started with.

    Attributes:
        name: Name of its class, for the log.
        start: Starts it. Raises CannotListen for an address that cannot be bound.
        stop: Stops it, without waiting.
    """

    name: str
    start: Callable[[], None]
    stop: Callable[[], None]


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
