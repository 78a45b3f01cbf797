"""Health for programs that are no ASGI app: queue consumers, schedulers."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Self

from ..core import health as core
from ..core.drain import Drain
from ..core.listener import Listener
from ..formats.service import ServiceInfo
from ..runtime.lifecycle import InUse
from .beside import beside
from .paths import Paths
from .types import Scope


class Health(core.Health):
    __doc__ = core.Health.__doc__

    @asynccontextmanager
    async def running(
        self,
        *,
        listener: Listener | None = None,
        drain: Drain | None = None,
        slow_loop: float = 1.0,
        paths: Paths = Paths(),  # noqa: B008  frozen, and the default reads as what it is
        details: bool | Callable[[Scope], bool] = False,
        service: ServiceInfo | None = None,
    ) -> AsyncGenerator[Self, None]:
        """Run the checks of a program without an ASGI server from here to the end of the block.

        The probes are answered by `listener`; the other options are those of HealthMiddleware. With a `drain` the
        program's own handler of SIGTERM, which it sets before, is called when the delay is over.

        One block at a time: the end of an inner one would be the end of the outer one's readiness.

        Raises TypeError or ValueError for a configuration that could not work, CannotListen for an address that cannot
        be had, RuntimeError while another such block, or an app with a HealthMiddleware around this Health, lives.
        """
        if drain is not None and drain.path is not None and listener is None:
            raise ValueError(f"drain: path {drain.path!r} needs a listener: nobody else answers requests here")
        sidecar = beside(
            self, paths=paths, details=details, service=service, drain=drain, listener=listener, slow_loop=slow_loop
        )
        try:
            life = sidecar.begin()
        except InUse:
            raise RuntimeError(
                "health: running() inside of another life of the same Health, of an outer running() or of an app with a"
                " HealthMiddleware; expected one of them, and in it health.add(...) for what belongs to it"
            ) from None
        try:
            sidecar.started(life)
            try:
                yield self
            finally:
                await sidecar.stopping(life)
        finally:
            sidecar.ended(life)
