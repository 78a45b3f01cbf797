"""The answers with details, rendered once for each change however many ask for them."""

import time
from collections.abc import Callable

from ..core.health import Health
from ..core.lifecycle import Phase
from ..core.report import Report
from ..core.status import Probe
from ..formats.answer import Answer
from ..formats.health_json import health_json
from ..formats.service import ServiceInfo
from ..formats.text import text
from ..runtime.listening import LateBy
from .query import Options

SHELVES = 64
"""Different answers kept at a time; beyond that the oldest goes. Readers vary `exclude` by hand."""

SHOWN = 0.5
"""Seconds that an answer is kept which says how long something has been going on."""

_Key = tuple[Probe | None, str | None, bool, frozenset[str], int]


class Library:
    """Keep each answer until something changes that it shows."""

    def __init__(self, health: Health, service: ServiceInfo | None, late_by: LateBy) -> None:
        self._health = health
        self._service = service
        self._late_by = late_by
        self._kept: dict[_Key, tuple[int, float, Answer]] = {}

    def whole(self, probe: Probe | None, wanted: Options, now: float) -> Answer:
        """Return the details of a probe."""
        names = {check.name for check in self._health.checks if probe is None or probe in check.probes}
        known = wanted.exclude & names
        unknown = len(wanted.exclude - names)
        return self._keep(
            (probe, None, wanted.text, known, unknown),
            now,
            lambda: self._health.report(probe, exclude=known, now=now),
        )

    def one(self, probe: Probe | None, name: str, wanted: Options, now: float) -> Answer | None:
        """Return the details of one check of a probe, None when the probe has no such check."""
        if not any(check.name == name and probe in check.probes for check in self._health.checks):
            return None
        return self._keep(
            (probe, name, wanted.text, frozenset(), 0),
            now,
            lambda: self._health.report_check(name, probe, now=now),
        )

    def _keep(self, key: _Key, now: float, report: Callable[[], Report]) -> Answer:
        probe, _, as_text, _, unknown = key
        stall = self._late_by(probe)
        version = self._health.version
        kept = self._kept.get(key)
        if stall is None and kept is not None and kept[0] == version and now < kept[1]:
            return kept[2]
        made = report()
        if stall is not None:
            made = made.stalled(stall)
        answer = (
            text(made, unknown=unknown)
            if as_text
            else health_json(made, self._service, wall=time.time(), unknown=unknown)
        )
        if stall is None:
            until = made.until if made.phase in (None, Phase.SERVING) else min(made.until, now + SHOWN)
            while len(self._kept) >= SHELVES:
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[key] = version, until, answer
        return answer
