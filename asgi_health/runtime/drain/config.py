"""The configuration of a drain."""

import os
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from ...core.validate import require_seconds_or_zero, require_short, require_type


@dataclass(frozen=True, slots=True)
class Drain:
    """How the app stops getting new traffic before it stops: readiness is 503 while the app still serves.

    The first SIGTERM starts the drain, and reaches the server only `delay` seconds later; a second one goes straight
    through, as SIGINT always does. The file, the endpoint and `Health.drain()` start the drain too, but only the signal
    stops the process. When it comes `delay` seconds or more after the drain began, it is passed on at once.

    While the app drains, HTTP/1 responses carry ``connection: close``, so that clients with kept connections move to
    another instance before the server closes them. So do those of a drain without this configuration.

    Attributes:
        delay: Seconds from the beginning of the drain to the server's own shutdown: long enough for every prober
            (on Kubernetes also its endpoints) to notice, and shorter than the time after which the orchestrator kills;
            at most 300. 0: signals are left alone.
        file: While this file exists readiness is 503, in every worker of a pod; noticed within half a second. A file
            system that fails or hangs changes nothing and blocks nothing.
        path: Path at which a GET or POST starts the drain, and is answered when `delay` is over: for a preStop hook.
        allow: Who may drain at `path`: True for every client, or a function ``(scope) -> bool`` such as
            ``bearer_token("...")``.
        envoy: Whether each response carries ``x-envoy-immediate-health-check-fail: true`` while the app drains. Envoy
            with active health checks then takes the instance out with the first response that it passes on or that
            answers a check, and not only after `unhealthy_threshold` checks. A proxy of another kind ignores it and
            shows it to clients.

    Raises:
        TypeError, ValueError: for a configuration that could not work.
    """

    delay: float = 5.0
    file: str | os.PathLike[str] | None = None
    path: str | None = None
    allow: bool | Callable[[MutableMapping[str, Any]], bool] = False
    envoy: bool = False

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
                raise ValueError(f"drain: path {self.path!r} needs allow=... to say who may drain: a policy, or True")
        elif self.allow is not False:
            raise ValueError("drain: allow says who may drain at path, but no path is given")
        if self.file is not None and (not os.fspath(self.file) or "\0" in os.fspath(self.file)):
            raise ValueError(f"drain: file must be the path of a file, not {os.fspath(self.file)!r}")
        if not isinstance(self.allow, bool) and not callable(self.allow):
            raise TypeError(
                f"drain: allow must be True, False or a function (scope) -> bool, not {type(self.allow).__name__}"
            )
        require_type("drain: envoy", self.envoy, bool)
        if self.delay == 0 and self.file is None and self.path is None and not self.envoy:
            raise ValueError("drain: with a delay of 0 and neither file nor path there is nothing to do")
