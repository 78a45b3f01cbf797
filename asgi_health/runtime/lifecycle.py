"""One lifespan, and what tells it from another."""

import os
from collections.abc import Mapping
from typing import Any

from .current import current_backend


class InUse(RuntimeError):
    """Another app lives with the same Health; the end of one would be the end of the readiness of both."""


class Lifecycle:
    """One lifespan of an app, or one block of a program, and the loop in which it began.

    `scope` is the one that the server made of it, None where there is no server; `owner` is the first that received it.
    """

    def __init__(self, scope: Mapping[str, Any] | None, owner: object) -> None:
        self._scope = scope
        self.owner: object | None = owner
        self._backend = current_backend()
        self._pid = os.getpid()

    def has(self, scope: Mapping[str, Any] | None) -> bool:
        """Tell whether `scope` is of this very lifespan: that of a second middleware around the same app.

        One in between may have copied the scope, but not what the server has put into it.
        """
        mine = self._scope
        if mine is None or scope is None:
            return False
        if "state" in mine and "state" in scope:
            return mine["state"] is scope["state"]
        return mine is scope or ("asgi" in mine and mine["asgi"] is scope.get("asgi"))

    def forget(self) -> None:
        """It is over: let go of what belongs to the app and its server."""
        self._scope = self.owner = None

    def goes_on(self) -> bool:
        """Tell whether its loop runs at this moment, in this process."""
        return os.getpid() == self._pid and self._backend.running()

    def is_of_the_running_loop(self) -> bool:
        """Tell whether the loop that runs at the moment is its own."""
        return current_backend().loop is self._backend.loop
