"""Finds what a request asks for, and answers it: for requests to the app's server and to the listener."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..core.engine import Engine
from ..core.stalls import Stall
from ..core.status import Probe, Status
from ..core.validate import require_type
from ..formats.answer import (
    ALLOWED,
    ALLOWED_OF_MAINTENANCE,
    DRAINED,
    METHOD_NOT_ALLOWED,
    NO_METHOD_OF_MAINTENANCE,
    NOT_FOUND,
    OTHER_ORIGIN,
    POST_ONLY,
    Answer,
    minimal,
    with_allow,
)
from ..formats.service import ServiceInfo
from ..listener.interface import StallOf, StreamedAnswer
from ..runtime.drain.config import Drain
from .auth import Policy, challenge_of, is_from_other_origin, normalize_policy
from .paths import Paths
from .response_headers import ResponseHeaders
from .types import Scope

if TYPE_CHECKING:
    from .details import Details
    from .events.streams import EventStreams
    from .maintenance import MaintenanceEndpoint
    from .metrics import Metrics


@dataclass(frozen=True, slots=True)
class Route:
    """What a request asks for.

    Attributes:
        probe: The probe.
        check: Name of the one check of the probe that the request asks for; None for the whole probe.
        drain: Whether the request asks to drain.
        metrics: Whether the request asks for the metrics.
        events: Whether the request asks for the events.
        maintenance: Whether the request asks for the maintenances.
    """

    probe: Probe = Probe.HEALTH
    check: str | None = None
    drain: bool = False
    metrics: bool = False
    events: bool = False
    maintenance: bool = False


BeforeAnswer = Callable[[Route], Awaitable[None]]
"""Awaited before a permitted request is answered: it drains, or waits for the first results."""


def no_stall(_: Probe) -> Stall | None:
    """Return None: a request that the app's event loop answers shows that the loop is not blocked."""
    return None


def never_over() -> bool:
    """Return False: the listener ends its streams itself, and never waits for them."""
    return False


class HealthRouter:
    """Find what a request asks for, and answer it. The listener's thread uses the same router as the app.

    Raises TypeError or ValueError for a configuration that could not work.

    Args:
        engine: The engine whose reports are answered.
        paths: The paths of the probes.
        details: Who may read more than the status; see HealthMiddleware.
        service: What the details say about the app itself.
        drain: Configuration of the drain, if any: its path is a route.
        allow_metrics: Who may read the metrics; see HealthMiddleware.
        allow_maintenance: Who may begin and end maintenances; see HealthMiddleware.
        envoy_degraded: Whether Envoy learns of a warning; see HealthMiddleware.

    Attributes:
        headers: The headers that responses get in addition to their own.
    """

    __slots__ = (
        "_check_prefixes",
        "_details",
        "_drain_path",
        "_engine",
        "_events",
        "_events_paths",
        "_maintenance",
        "_maintenance_paths",
        "_may_drain",
        "_may_maintain",
        "_may_read_details",
        "_may_read_metrics",
        "_metrics",
        "_metrics_paths",
        "_routes",
        "headers",
    )

    def __init__(
        self,
        engine: Engine,
        paths: Paths,
        *,
        details: bool | Callable[[Scope], bool] = False,
        service: ServiceInfo | None = None,
        drain: Drain | None = None,
        allow_metrics: bool | Callable[[Scope], bool] | None = None,
        allow_maintenance: bool | Callable[[Scope], bool] = False,
        envoy_degraded: bool = False,
    ) -> None:
        require_type("paths", paths, Paths)
        if service is not None:
            require_type("service", service, ServiceInfo)
        if drain is not None:
            require_type("drain", drain, Drain)
        require_type("envoy_degraded", envoy_degraded, bool)
        self._engine = engine
        self.headers = ResponseHeaders(engine, envoy=drain is not None and drain.envoy, envoy_degraded=envoy_degraded)
        self._may_read_details = normalize_policy(details)
        challenge = challenge_of(self._may_read_details)
        self._events_paths = () if self._may_read_details is None else paths.of_events
        self._details = (
            None
            if self._may_read_details is None
            else _details(engine, service, self.headers, challenge, paths.all, next(iter(self._events_paths), None))
        )
        self._routes = {path: Route(probe) for probe in Probe for path in paths.of(probe)}
        # Single checks are found below a probe, and not below `health`, because apps have pages of their own there.
        self._check_prefixes = (
            {f"{path}/": probe for probe in Probe if probe is not Probe.HEALTH for path in paths.of(probe)}
            if self._may_read_details is not None
            else {}
        )
        self._drain_path = None if drain is None or drain.path is None else drain.path.rstrip("/")
        self._may_drain = None if drain is None else _policy_of_order(drain.allow, "drain: allow")
        if self._drain_path is not None:
            if self._drain_path in self._routes:
                raise ValueError(f"drain: path {self._drain_path!r} is the path of a probe already")
            self._routes[self._drain_path] = Route(drain=True)
        self._metrics_paths = paths.of_metrics
        if self._drain_path in self._metrics_paths:
            raise ValueError(f"drain: path {self._drain_path!r} is a path of the metrics already")
        self._may_read_metrics = (
            self._may_read_details if allow_metrics is None else normalize_policy(allow_metrics, "allow_metrics")
        )
        if self._metrics_paths and self._may_read_metrics is None:
            raise ValueError(
                f"paths: no client may read metrics {self._metrics_paths[0]!r}; expected details=..., or"
                ' allow_metrics=True for every client, or a policy such as allow_metrics=bearer_token("...")'
            )
        if allow_metrics not in (None, False) and not self._metrics_paths:
            raise ValueError("allow_metrics: there is no path of the metrics; expected paths=Paths(metrics='/metrics')")
        self._metrics = _metrics(engine) if self._metrics_paths else None
        self._routes |= dict.fromkeys(self._metrics_paths, Route(metrics=True))
        if self._drain_path in self._events_paths:
            raise ValueError(f"drain: path {self._drain_path!r} is a path of the events already")
        self._events = _event_streams(engine) if self._events_paths else None
        self._routes |= dict.fromkeys(self._events_paths, Route(events=True))
        self._maintenance_paths = paths.of_maintenance
        if self._drain_path in self._maintenance_paths:
            raise ValueError(f"drain: path {self._drain_path!r} is a path of the maintenances already")
        self._may_maintain = _policy_of_order(allow_maintenance, "allow_maintenance")
        if self._maintenance_paths and self._may_maintain is None:
            raise ValueError(
                f"paths: maintenance {self._maintenance_paths[0]!r} needs allow_maintenance=... to say who may begin"
                ' and end one: a policy such as bearer_token("..."), or True'
            )
        if self._may_maintain is not None and not self._maintenance_paths:
            raise ValueError(
                "allow_maintenance: there is no path of the maintenances; expected"
                " paths=Paths(maintenance='/health/maintenance')"
            )
        self._maintenance = _maintenances(engine) if self._maintenance_paths else None
        self._routes |= dict.fromkeys(self._maintenance_paths, Route(maintenance=True))

    @property
    def has_details(self) -> bool:
        """Whether some readers may see more than the status."""
        return self._may_read_details is not None

    @property
    def policies(self) -> dict[str, Policy | None]:
        """The policy of each option that has one, None for one that allows no client."""
        metrics = self._may_read_metrics if self._metrics_paths else None
        return {
            "details": self._may_read_details,
            "allow_metrics": metrics,
            "drain: allow": self._may_drain,
            "allow_maintenance": self._may_maintain,
        }

    @property
    def check_parents(self) -> tuple[str, ...]:
        """The paths below which single checks are answered."""
        return tuple(prefix.removesuffix("/") for prefix in self._check_prefixes)

    @property
    def other_prefixes(self) -> tuple[str, ...]:
        """The prefixes of the paths that it answers in addition to those of the probes."""
        drain = () if self._drain_path is None else (self._drain_path,)
        return (*self._check_prefixes, *drain, *self._metrics_paths, *self._events_paths, *self._maintenance_paths)

    @property
    def events_paths(self) -> tuple[str, ...]:
        """The paths of the events; none where no reader is admitted to the details."""
        return self._events_paths

    def find(self, scope: Scope) -> Route | None:
        """Return what the request asks for, None when the app must answer it."""
        path, root = scope.get("path"), scope.get("root_path")
        if not isinstance(path, str):
            return None
        candidates = [path]
        if isinstance(root, str) and (root := root.rstrip("/")) and path.startswith(f"{root}/"):
            candidates.append(path[len(root) :])
        for candidate in candidates:
            route = self._routes.get(candidate) or self._routes.get(candidate.removesuffix("/"))
            if route is not None:
                return route
            for prefix, probe in self._check_prefixes.items():
                check = candidate.removeprefix(prefix).rstrip("/")
                if candidate.startswith(prefix) and check and "/" not in check:
                    return Route(probe, check)
        return None

    async def answer_listener(
        self, scope: Scope, *, stall_of: StallOf, drain: Callable[[], Awaitable[None]]
    ) -> Answer | StreamedAnswer:
        """Return the answer to a request that has come to the listener.

        Args:
            scope: The request.
            stall_of: Returns the present stall of the app's event loop, as a probe sees it.
            drain: Drains the app, and returns when the delay is over.
        """
        route = self.find(scope)
        if route is None:
            return self.headers.add_phase(NOT_FOUND, scope)
        if route.events:
            return self.answer_events(scope, route, stall_of=stall_of)

        async def before_answer(route: Route) -> None:
            if route.drain:
                await drain()

        return await self.answer_route(scope, route, before_answer, stall_of)

    async def answer_route(
        self, scope: Scope, route: Route, before_answer: BeforeAnswer, stall_of: StallOf = no_stall
    ) -> Answer:
        """Return the answer to a request for `route`. `before_answer` is awaited unless the request is refused."""
        answered = self._refuse(scope, route)
        if answered is None:
            await before_answer(route)
            if route.metrics and self._metrics is not None:
                answered = await self._metrics.answer(scope, stall_of)
            elif route.maintenance and self._maintenance is not None:
                answered = self._maintenance.answer(scope)
            else:
                answered = await self._make_answer(scope, route, self._engine.clock(), stall_of)
            if scope.get("method") == "OPTIONS" and answered is not NOT_FOUND:
                answered = with_allow(answered)
        return self.headers.add_phase(answered, scope)

    def answer_events(
        self,
        scope: Scope,
        route: Route,
        *,
        stall_of: StallOf = no_stall,
        is_over: Callable[[], bool] = never_over,
        run_due: Callable[[], Awaitable[None]] | None = None,
    ) -> Answer | StreamedAnswer:
        """Return the answer to a request for the events; `FeedHooks` explains the last three arguments."""
        refused = self._refuse(scope, route)
        if refused is not None or self._events is None:
            return self.headers.add_phase(refused or NOT_FOUND, scope)
        answer = self._events.answer(scope, stall_of, is_over, run_due)
        head = with_allow(answer.head) if scope.get("method") == "OPTIONS" else answer.head
        return replace(answer, head=self.headers.add_phase(head, scope))

    def _refuse(self, scope: Scope, route: Route) -> Answer | None:
        method = scope.get("method")
        if route.drain:
            if self._may_drain is None or not self._may_drain(scope):
                return NOT_FOUND
            if method not in ("GET", "POST"):
                return POST_ONLY
            return OTHER_ORIGIN if is_from_other_origin(scope) else None
        if route.maintenance:
            if self._may_maintain is None or not self._may_maintain(scope):
                return NOT_FOUND
            if method not in ALLOWED_OF_MAINTENANCE:
                return NO_METHOD_OF_MAINTENANCE
            return OTHER_ORIGIN if method in ("POST", "DELETE") and is_from_other_origin(scope) else None
        if (route.check is not None or route.events) and not self._allows_details(scope):
            return NOT_FOUND
        if route.metrics and (self._may_read_metrics is None or not self._may_read_metrics(scope)):
            return NOT_FOUND
        return None if method in ALLOWED else METHOD_NOT_ALLOWED

    async def _make_answer(self, scope: Scope, route: Route, now: float, stall_of: StallOf) -> Answer:
        probe = route.probe
        if route.drain:
            return DRAINED
        stall = stall_of(probe)
        allowed = self._allows_details(scope)
        if self._details is not None and allowed:
            answer = await self._details.answer(scope, probe, route.check, now, stall)
            if answer is not None:
                return answer
        known = self._engine.probe_status(probe)
        status, reason = known.at(now), known.reason_at(now)
        if stall is not None and stall.too_long and status is not Status.UNHEALTHY:
            status, reason = Status.UNHEALTHY, None
        answer = None
        if self._details is not None and not allowed:
            answer = self._details.answer_public(scope, probe, status, reason)
        return self.headers.add_status(answer or minimal(status, reason=reason), probe, status)

    def _allows_details(self, scope: Scope) -> bool:
        return self._may_read_details is not None and self._may_read_details(scope)


def _policy_of_order(allow: object, subject: str) -> Policy | None:
    """Return the policy of an endpoint that takes the app out of the rotation. Raises TypeError or ValueError."""
    policy = normalize_policy(allow, subject)
    if challenge_of(policy) is not None:
        raise ValueError(
            f"{subject} must not be basic_auth(...), whose credentials a browser sends with requests that other sites"
            " make; expected a policy such as bearer_token(...) or client_in(...)"
        )
    return policy


def _details(
    engine: Engine,
    service: ServiceInfo | None,
    headers: ResponseHeaders,
    challenge: bytes | None,
    pages: tuple[str, ...],
    events: str | None,
) -> "Details":
    # Not at the top: most of its imports are needed for details only.
    from .details import Details

    return Details(engine, service, headers, challenge, pages=pages, events=events)


def _metrics(engine: Engine) -> "Metrics":
    # Not at the top: an app without metrics does not pay for their import.
    from .metrics import Metrics

    return Metrics(engine)


def _maintenances(engine: Engine) -> "MaintenanceEndpoint":
    # Not at the top: most apps do not have this endpoint.
    from .maintenance import MaintenanceEndpoint

    return MaintenanceEndpoint(engine)


def _event_streams(engine: Engine) -> "EventStreams":
    # Not at the top: only an app with details has events.
    from .events.page_fragments import PageFragments
    from .events.streams import EventStreams

    return EventStreams(engine, PageFragments(engine))
