"""What a listener is to the rest of the package. The rooms behind it, which need h11, are opened for one alone."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from ..core.stalls import Stall
from ..core.status import Probe
from ..formats.answer import Answer

LateBy = Callable[[Probe | None], Stall | None]
"""Tells how late the app's loop is at this moment, as that counts for a probe; None when it is not."""

Respond = Callable[[MutableMapping[str, Any]], Awaitable[Answer]]
"""Answers a request, given as the scope of ASGI."""


class Listening(Protocol):
    """A listener that has its address."""

    def start(self) -> None:
        """Begin to answer."""

    def stop(self) -> None:
        """End it, without waiting."""


class CannotListen(Exception):
    """The address cannot be had; the text says which one, and why."""


def require_h11() -> None:
    """Raise ModuleNotFoundError, which says what to install, where h11 is missing."""
    from importlib.util import find_spec

    if find_spec("h11") is None:
        raise ModuleNotFoundError(
            'listener: h11 is not installed; try: pip install "asgi-health[listener]"', name="h11"
        )
