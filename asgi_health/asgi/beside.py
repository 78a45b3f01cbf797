"""Put beside an app what was asked for."""

from collections.abc import Callable

from ..core.drain import Drain
from ..core.health import Health
from ..core.listener import Listener
from ..core.require import require_seconds_or_zero, require_short, require_type
from ..core.standing import PROBES
from ..formats.answer import NOT_FOUND, Answer
from ..formats.service import ServiceInfo
from ..runtime.last_resort import install_last_resort
from ..runtime.listening import LateBy, Respond, require_h11
from ..runtime.sidecar import Sidecar
from .desk import Asked, Desk
from .details import policy_of
from .paths import Paths
from .types import Scope


def beside(
    health: Health,
    *,
    paths: Paths,
    details: bool | Callable[[Scope], bool],
    service: ServiceInfo | None,
    drain: Drain | None,
    listener: Listener | None,
    slow_loop: float,
    look_below: Callable[[bool], None] = lambda load: None,
) -> Sidecar:
    """Return the sidecar of an app. Raises TypeError or ValueError for a configuration that could not work."""
    install_last_resort()
    require_type("paths", paths, Paths)
    if service is not None:
        require_type("service", service, ServiceInfo)
    policy_of(details)
    if drain is not None:
        require_type("drain", drain, Drain)
        policy_of(drain.allow, "drain: allow")
    if listener is not None:
        require_type("listener", listener, Listener)
        require_h11()
    require_seconds_or_zero("slow_loop", slow_loop)
    require_short("slow_loop", slow_loop)

    def answering(late_by: LateBy) -> Respond:
        desk = Desk(health, paths, details=details, service=service, drain=drain, late_by=late_by)

        async def prepare(asked: Asked) -> None:
            if asked.drain:
                await sidecar.drain()

        async def respond(scope: Scope) -> Answer:
            asked = desk.find(scope)
            return NOT_FOUND if asked is None else await desk.respond(scope, asked, prepare)

        return respond

    sidecar = Sidecar(
        health,
        drain=drain,
        listener=listener,
        slow_loop=slow_loop,
        answering=answering,
        look_below=look_below,
        paths=" ".join(path for probe in PROBES for path in paths.of(probe)),
    )
    return sidecar
