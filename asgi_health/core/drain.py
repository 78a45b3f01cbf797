"""How an app wants to be taken out of the rotation."""

import os
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from .require import require_seconds_or_zero, require_short, require_type


@dataclass(frozen=True, slots=True)
class Drain:
    """What turns readiness to 503 while the app still serves, and for how long the process goes on then.

    The first SIGTERM does, and reaches the server only `delay` seconds later; a second one goes straight through, as
    SIGINT always does. So do the file, the endpoint and `Health.drain()`, but they only announce: what ends the process
    is the signal, passed on at once when it comes `delay` seconds or more after the drain began.

    Raises ValueError or TypeError for what could not work.
    """

    delay: float = 5.0
    """Seconds from the beginning of the drain to the server's own reaction: long enough for every prober to notice
    (Kubernetes: its endpoints too), shorter than the time after which the orchestrator kills; at most 300. 0: signals
    are left alone."""
    file: str | os.PathLike[str] | None = None
    """While this file exists readiness is 503, in every worker of a pod; noticed within half a second. A file system
    that fails or hangs changes nothing and holds nothing up."""
    path: str | None = None
    """Where a GET or POST drains, and is answered when `delay` is over: for a preStop hook."""
    allow: bool | Callable[[MutableMapping[str, Any]], bool] = False
    """Who may drain at `path`: True everybody, or a function ``(scope) -> bool`` such as ``bearer_token("...")``."""

    def __post_init__(self) -> None:
        require_seconds_or_zero("drain: delay", self.delay)
        require_short("drain: delay", self.delay)
        if self.file is not None:
            require_type("drain: file", self.file, str | os.PathLike)
        if self.path is not None:
            require_type("drain: path", self.path, str)
            if not self.path.startswith("/") or not self.path.rstrip("/") or "?" in self.path or "#" in self.path:
                raise ValueError(f"drain: path {self.path!r} must be a path such as '/drain'")
            if self.allow is False:
                raise ValueError(f"drain: path {self.path!r} needs allow=..., who may drain: a policy, or True")
        elif self.allow is not False:
            raise ValueError("drain: allow says who may drain at path, and no path is given")
        if self.file is not None and (not os.fspath(self.file) or "\0" in os.fspath(self.file)):
            raise ValueError(f"drain: file must be the path of a file, not {os.fspath(self.file)!r}")
        if not isinstance(self.allow, bool) and not callable(self.allow):
            raise TypeError(
                f"drain: allow must be True, False or a function (scope) -> bool, not {type(self.allow).__name__}"
            )
        if self.delay == 0 and self.file is None and self.path is None:
            raise ValueError("drain: with a delay of 0 and neither file nor path there is nothing to do")
