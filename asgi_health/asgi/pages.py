"""The table path -> prepared answer."""

from collections.abc import Callable
from math import inf
from typing import Any

from ..core.health import Health
from ..core.lifecycle import Phase
from ..core.standing import PROBES
from ..core.status import Probe, Status
from ..formats.answer import MINIMAL
from .paths import Paths

Prepared = tuple[float, dict[str, Any], list[tuple[bytes, bytes]], dict[str, Any]]
"""Until when it holds (monotonic seconds), and the start without its headers, these headers, the body: to be copied."""


class Pages:
    """Keep the answers of all probes ready, from one change of `health` to the next."""

    def __init__(
        self,
        health: Health,
        paths: Paths,
        *,
        guarded: bool,
        attended: Callable[[], bool],
        first: Callable[[], bool],
    ) -> None:
        self._health = health
        self._guarded = guarded
        self._attended = attended
        self._first = first
        self._probes: dict[str, Probe | None] = {
            spelling: probe for probe in PROBES for path in paths.of(probe) for spelling in (path, f"{path}/")
        }
        self.ready: dict[str, Prepared] = {}
        """What is answered at each path. Keys are fixed and values replaced whole, so that any thread may read it."""
        self.refresh()
        health.watch(self.refresh)

    def refresh(self) -> None:
        """Prepare the answers anew."""
        while True:
            version = self._health.version
            prepared = {probe: self._prepare(probe) for probe in PROBES}
            for path, probe in self._probes.items():
                self.ready[path] = prepared[probe]
            if self._health.version == version:
                return

    def _prepare(self, probe: Probe | None) -> Prepared:
        outlook = self._health.outlook(probe)
        answer = MINIMAL[outlook.status]
        until = outlook.until
        if not self._attended():
            # Nobody sees to it that runs are started and ended: the answer holds until the next of these moments.
            if not self._health.started or self._health.phase is Phase.STOPPED:
                until = -inf  # a request on another loop begins anew
            elif self._health.concerns(probe):
                until = min(until, self._health.next_wake())
        elif outlook.status is Status.UNHEALTHY and self._first():
            until = -inf  # the first prober may wait for what is not known yet
        if self._guarded and probe is None:
            until = -inf  # who asks decides what the answer is
        start = {"type": "http.response.start", "status": answer.status, "headers": None}
        return until, start, list(answer.headers), {"type": "http.response.body", "body": answer.body}
