"""Answers with details, rendered once per change however many requests ask for them."""

import time
from collections.abc import Callable

from ..core.engine import Engine
from ..core.lifecycle import Phase
from ..core.report import Report, Stall
from ..core.status import Probe
from ..formats.answer import NOT_FOUND, Answer, minimal
from ..formats.health_json import health_json
from ..formats.service import ServiceInfo
from ..formats.text import text
from .query import Options, parse_options
from .response_headers import ResponseHeaders

MAX_ENTRIES = 64
"""Different answers kept at a time; beyond that the oldest is removed. Readers vary `exclude` by hand."""

PHASE_MAX_AGE = 0.5
"""Seconds for which an answer that shows the duration of a phase is kept."""

_Key = tuple[Probe, str | None, bool, frozenset[str], int]


class DetailsCache:
    """Answer readers of details, and keep each answer until something changes that it shows.

    Several threads may use it at the same time.
    """

    def __init__(self, engine: Engine, service: ServiceInfo | None, headers: ResponseHeaders) -> None:
        self._engine = engine
        self._headers = headers
        self._service = service
        self._entries: dict[_Key, tuple[int, float, Answer]] = {}

    def answer(self, probe: Probe, check: str | None, query: object, now: float, stall: Stall | None) -> Answer | None:
        """Return the answer to a reader of details, None when the query asks for the status only.

        Args:
            probe: The probe.
            check: Name of the one check of the probe that the request asks for; None for the whole probe.
            query: Query string of the request.
            now: The present moment (monotonic seconds).
            stall: The present stall of the event loop, if any.
        """
        options = parse_options(query)
        if check is not None:
            return self._of_check(probe, check, options, now, stall)
        if probe is Probe.HEALTH or options.verbose:
            return self._of_probe(probe, options, now, stall)
        if options.exclude:
            report = self._engine.report(probe, now, exclude=options.exclude)
            if stall is not None:
                report = report.with_stall(stall)
            return self._headers.add_status(minimal(report.status, stall), probe, report.status)
        return None

    def _of_probe(self, probe: Probe, options: Options, now: float, stall: Stall | None) -> Answer:
        names = {check.name for check in self._engine.checks if probe is Probe.HEALTH or probe in check.probes}
        known = options.exclude & names
        unknown = len(options.exclude - names)
        return self._get(
            (probe, None, options.text, known, unknown),
            now,
            stall,
            lambda: self._engine.report(probe, now, exclude=known),
        )

    def _of_check(self, probe: Probe, name: str, options: Options, now: float, stall: Stall | None) -> Answer:
        if not any(check.name == name and probe in check.probes for check in self._engine.checks):
            return NOT_FOUND
        return self._get(
            (probe, name, options.text, frozenset(), 0),
            now,
            stall,
            lambda: self._engine.report_check(name, probe, now),
        )

    def _get(self, key: _Key, now: float, stall: Stall | None, make_report: Callable[[], Report]) -> Answer:
        probe, check, as_text, _, unknown = key
        version = self._engine.version
        entry = self._entries.get(key)
        if stall is None and entry is not None and entry[0] == version and now < entry[1]:
            return entry[2]
        report = make_report()
        if stall is not None:
            report = report.with_stall(stall)
        answer = (
            text(report, unknown=unknown)
            if as_text
            else health_json(report, self._service, wall=time.time(), unknown=unknown)
        )
        if check is None:
            answer = self._headers.add_status(answer, probe, report.status)
        if stall is None:
            until = report.until if report.phase in (None, Phase.SERVING) else min(report.until, now + PHASE_MAX_AGE)
            # A copy of the keys: another thread may add an entry meanwhile.
            keys = tuple(self._entries)
            for oldest in keys[: max(0, len(keys) + 1 - MAX_ENTRIES)]:
                self._entries.pop(oldest, None)
            self._entries[key] = version, until, answer
        return answer
