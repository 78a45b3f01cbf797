"""The integration: it watches a Health, and passes what is news to each target."""

from collections.abc import Iterable

from ...core.status import Status
from ...health import Health
from .target import Target


class Alerts:
    """Send one message when checks fail or the event loop is blocked, and one when that is over."""

    def __init__(
        self,
        targets: Iterable[str | Target],
        *,
        minimum: Status = Status.UNHEALTHY,
        repeat: float = 600.0,
        wait: float = 2.0,
        service: str | None = None,
    ) -> None:
        self._targets = tuple(targets)

    def start(self, health: Health, /) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""
