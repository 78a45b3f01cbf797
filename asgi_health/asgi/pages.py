"""The table path -> prepared answer."""

from math import inf

from ..core.health import PROBES, Health
from ..core.lifecycle import Phase
from ..core.status import Probe
from ..formats.answer import MINIMAL
from .paths import Paths

Prepared = tuple[float, int, list[tuple[bytes, bytes]], bytes]
"""Until when it holds (monotonic seconds), status code, headers (to be copied), body."""


class Page:
    """One probe, and the answer that is ready for it; replaced whole, so that any thread may read it."""

    __slots__ = ("prepared", "probe")

    def __init__(self, probe: Probe | None) -> None:
        self.probe = probe
        self.prepared: Prepared = (-inf, 503, [], b"")


class Pages:
    """Keep the answers of all probes ready, from one change of `health` to the next."""

    def __init__(self, health: Health, paths: Paths, *, guarded: bool) -> None:
        self._health = health
        self._guarded = guarded
        self._pages = [Page(probe) for probe in PROBES]
        self.on_demand = True
        """Whether an answer holds no longer than until the next run is due, because nobody runs it by himself."""
        self.table = {
            spelling: page for page in self._pages for path in paths.of(page.probe) for spelling in (path, f"{path}/")
        }
        self.below = {
            f"{path}/": page for page in self._pages if page.probe is not None for path in paths.of(page.probe)
        }
        """Where single checks are asked for by name. Not below `health`, for apps have pages of their own there."""
        self.refresh()
        health.watch(self.refresh)

    def refresh(self) -> None:
        """Prepare the answers anew."""
        health = self._health
        while True:
            version = health.version
            for page in self._pages:
                page.prepared = self._prepare(page.probe)
            if health.version == version:
                return

    def _prepare(self, probe: Probe | None) -> Prepared:
        outlook = self._health.outlook(probe)
        answer = MINIMAL[outlook.status]
        until = outlook.until
        if self.on_demand:
            if self._health.phase is Phase.STARTING:
                until = -inf
            elif self._health.watches(probe):
                until = min(until, self._health.next_due())
        if self._guarded and probe is None:
            until = -inf  # who asks decides what the answer is
        return until, answer.status, list(answer.headers), answer.body
