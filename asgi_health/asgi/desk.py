"""What is answered to whom: the same for a request that came through the app's server and one to the listener."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..core.drain import Drain
from ..core.health import Health
from ..core.standing import PROBES
from ..core.status import Probe, Status
from ..formats.answer import ALLOWED, DRAINED, METHOD_NOT_ALLOWED, MINIMAL, NOT_FOUND, POST_ONLY, Answer, with_allow
from ..formats.service import ServiceInfo
from ..runtime.listening import LateBy
from .details import policy_of
from .library import Library
from .paths import Paths
from .query import options
from .types import Scope


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    probe: Probe | None = None
    """None: everything together."""
    name: str | None = None
    """One check of the probe."""
    drain: bool = False
    """To be taken out of the rotation, which is a request and no question."""


class Desk:
    """Find what a request asks for, and the answer to it."""

    __slots__ = ("_below", "_drain_at", "_health", "_late_by", "_library", "_may_drain", "_policy", "_table")

    def __init__(
        self,
        health: Health,
        paths: Paths,
        *,
        details: bool | Callable[[Scope], bool],
        service: ServiceInfo | None,
        drain: Drain | None,
        late_by: LateBy = lambda probe: None,
    ) -> None:
        self._health = health
        self._policy = policy_of(details)
        self._library = Library(health, service, late_by)
        self._late_by = late_by
        self._table = {path: Asked(probe) for probe in PROBES for path in paths.of(probe)}
        self._below = (
            {f"{path}/": probe for probe in Probe for path in paths.of(probe)} if self._policy is not None else {}
        )
        self._drain_at = None if drain is None or drain.path is None else drain.path.rstrip("/")
        self._may_drain = None if drain is None else policy_of(drain.allow, "drain: allow")
        if self._drain_at is not None:
            if self._drain_at in self._table:
                raise ValueError(f"drain: path {self._drain_at!r} is the path of a probe already")
            self._table[self._drain_at] = Asked(drain=True)

    @property
    def guarded(self) -> bool:
        """Whether somebody may see more than the status."""
        return self._policy is not None

    @property
    def beginnings(self) -> tuple[str, ...]:
        """What the paths begin with that are looked at besides those of the probes.

        Single checks are asked for below a probe, not below `health`, for apps have pages of their own there.
        """
        return (*self._below, *(() if self._drain_at is None else (self._drain_at,)))

    def find(self, scope: Scope) -> Asked | None:
        """Return what is asked, None for what is the app's affair."""
        path, root = scope.get("path"), scope.get("root_path")
        if not isinstance(path, str):
            return None
        candidates = [path]
        if isinstance(root, str) and (root := root.rstrip("/")) and path.startswith(f"{root}/"):
            candidates.append(path[len(root) :])
        for candidate in candidates:
            asked = self._table.get(candidate) or self._table.get(candidate.removesuffix("/"))
            if asked is not None:
                return asked
            for prefix, probe in self._below.items():
                name = candidate.removeprefix(prefix).rstrip("/")
                if candidate.startswith(prefix) and name and "/" not in name:
                    return Asked(probe, name)
        return None

    async def respond(self, scope: Scope, asked: Asked, prepare: Callable[[Asked], Awaitable[None]]) -> Answer:
        """Return the answer to what is asked; `prepare` is awaited before one is given to somebody who may ask."""
        refusal = self._refuse(scope, asked)
        if refusal is not None:
            return refusal
        await prepare(asked)
        answered = self._answer(scope, asked, self._health.clock())
        return with_allow(answered) if scope.get("method") == "OPTIONS" and answered is not NOT_FOUND else answered

    def _refuse(self, scope: Scope, asked: Asked) -> Answer | None:
        method = scope.get("method")
        if asked.drain:
            if self._may_drain is None or not self._may_drain(scope):
                return NOT_FOUND
            return None if method in ("GET", "POST") else POST_ONLY
        if asked.name is not None and not self._allows(scope):
            return NOT_FOUND
        return None if method in ALLOWED else METHOD_NOT_ALLOWED

    def _answer(self, scope: Scope, asked: Asked, now: float) -> Answer:
        probe = asked.probe
        if asked.drain:
            return DRAINED
        if self._allows(scope):
            wanted = options(scope.get("query_string"))
            if asked.name is not None:
                return self._library.one(probe, asked.name, wanted, now) or NOT_FOUND
            if probe is None or wanted.verbose:
                return self._library.whole(probe, wanted, now)
            if wanted.exclude:
                return self._minimal(probe, self._health.report(probe, exclude=wanted.exclude, now=now).status)
        return self._minimal(probe, self._health.outlook(probe).at(now))

    def _minimal(self, probe: Probe | None, status: Status) -> Answer:
        stall = self._late_by(probe)
        return MINIMAL[Status.UNHEALTHY if stall is not None and stall.over else status]

    def _allows(self, scope: Scope) -> bool:
        return self._policy is not None and self._policy(scope)
