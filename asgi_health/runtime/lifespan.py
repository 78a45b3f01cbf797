"""The identity of one lifespan: whether a scope belongs to it, and whether its event loop still runs."""

import os
from collections.abc import Mapping
from typing import Any

from .backends.detection import current_backend


class InUse(RuntimeError):
    """Another app runs with the same Health; when one of them stops, the readiness of both would end."""


class LifespanIdentity:
    """One lifespan of an app, or one `running()` block, and the event loop in which it began.

    Args:
        scope: The scope that the server made for it, None where there is no server.
        owner: The `Services` that received it first.
    """

    def __init__(self, scope: Mapping[str, Any] | None, owner: object) -> None:
        self._scope = scope
        self.owner: object | None = owner
        self._backend = current_backend()
        self._pid = os.getpid()

    def is_for(self, scope: Mapping[str, Any] | None) -> bool:
        """Return whether `scope` belongs to this lifespan: a second middleware around the same app receives it.

        A middleware in between may have copied the scope, but not the objects that the server has put into it.
        """
        mine = self._scope
        if mine is None or scope is None:
            return False
        if "state" in mine and "state" in scope:
            return mine["state"] is scope["state"]
        return mine is scope or ("asgi" in mine and mine["asgi"] is scope.get("asgi"))

    def release(self) -> None:
        """Drop the references to the app and its server: the lifespan is over."""
        self._scope = self.owner = None

    def loop_is_running(self) -> bool:
        """Return whether its event loop runs at this moment, in this process."""
        return os.getpid() == self._pid and self._backend.running()

    def is_in_the_current_loop(self) -> bool:
        """Return whether the event loop that runs at the moment is the one in which it began."""
        return current_backend().loop is self._backend.loop
