"""Answers with details, rendered once per change however many requests ask for them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..core.engine import Engine
from ..core.lifecycle import Phase
from ..core.report import CheckReport, Report, Stall
from ..core.status import Probe
from ..formats.answer import NOT_FOUND, Answer, minimal
from ..formats.explain import explain, explain_in_parts
from ..formats.health_json import health_json
from ..formats.service import ServiceInfo
from ..formats.text import text
from ..runtime.backends.detection import current_backend
from ..runtime.backends.interface import Flag
from .query import Options, parse_options
from .response_headers import ResponseHeaders
from .steps import Steps

MAX_ENTRIES = 64
"""Different answers kept at a time; beyond that the oldest is removed. Readers vary `exclude` by hand."""

CHECKS_AT_ONCE = 16
"""Checks that are explained without a look at the clock: a third of a millisecond."""

MAX_WAIT = 1.0
"""Seconds for which a request waits for the explanation that another one renders; then it renders its own."""

DURATION_MAX_AGE = 0.5
"""Seconds for which an answer that shows durations is kept: that of a phase, and those of an explanation."""


class _Key(NamedTuple):
    """What distinguishes one answer from another, but for the moment."""

    probe: Probe
    check: str | None
    text: bool
    explain: bool
    exclude: frozenset[str] = frozenset()
    unknown: int = 0


@dataclass(slots=True, eq=False)
class _Rendering:
    """An explanation in progress, and those that wait for it."""

    version: int
    answer: Answer | None = None
    waiting: list[Flag] = field(default_factory=list[Flag])


class DetailsCache:
    """Answer readers of details, and keep each answer until something changes that it shows.

    Several threads may use it at the same time.
    """

    def __init__(self, engine: Engine, service: ServiceInfo | None, headers: ResponseHeaders) -> None:
        self._engine = engine
        self._headers = headers
        self._service = service
        self._entries: dict[_Key, tuple[int, float, Answer]] = {}
        self._in_progress: dict[_Key, _Rendering] = {}

    async def answer(
        self, probe: Probe, check: str | None, query: object, now: float, stall: Stall | None
    ) -> Answer | None:
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
            return await self._of_probe(probe, options, now, stall)
        if options.exclude:
            report = self._engine.report(probe, now, exclude=options.exclude)
            if stall is not None:
                report = report.with_stall(stall)
            return self._headers.add_status(minimal(report.status, stall), probe, report.status)
        return None

    async def _of_probe(self, probe: Probe, options: Options, now: float, stall: Stall | None) -> Answer:
        names = {check.name for check in self._engine.checks if probe is Probe.HEALTH or probe in check.probes}
        known = options.exclude & names
        unknown = len(options.exclude - names)
        key = _Key(probe, None, options.text, options.explain, known, unknown)
        if key.explain and not key.text:
            return await self._explain(key, now, stall)
        return self._get(key, now, stall, lambda: self._engine.report(probe, now, exclude=known))

    def _of_check(self, probe: Probe, name: str, options: Options, now: float, stall: Stall | None) -> Answer:
        if not any(check.name == name and probe in check.probes for check in self._engine.checks):
            return NOT_FOUND
        return self._get(
            _Key(probe, name, options.text, options.explain),
            now,
            stall,
            lambda: self._engine.report_check(name, probe, now, history=options.explain),
        )

    def _get(self, key: _Key, now: float, stall: Stall | None, make_report: Callable[[], Report]) -> Answer:
        version = self._engine.version
        if stall is None and (found := self._find(key, version, now)) is not None:
            return found
        report = make_report()
        if stall is not None:
            report = report.with_stall(stall)
        if key.text:
            answer = text(report, unknown=key.unknown)
        else:
            render = explain if key.explain else health_json
            answer = render(report, self._service, wall=time.time(), unknown=key.unknown)
        if key.check is None:
            answer = self._headers.add_status(answer, key.probe, report.status)
        if stall is None:
            self._keep(key, version, now, report, answer)
        return answer

    async def _explain(self, key: _Key, now: float, stall: Stall | None) -> Answer:
        """Return the explanation of a probe, rendered in steps: that of a thousand checks takes 20 ms.

        A request that comes while one of the same version is rendered waits for it.
        """
        version = self._engine.version
        if stall is not None:
            return await self._render_in_steps(key, now, stall)
        if (found := self._find(key, version, now)) is not None:
            return found
        present = self._in_progress.get(key)
        if present is not None and present.version == version:
            flag = current_backend().flag()
            present.waiting.append(flag)
            if present is self._in_progress.get(key):  # otherwise another thread has ended it meanwhile
                await flag.wait(MAX_WAIT)
            if present.answer is not None:
                return present.answer
        rendering = self._in_progress[key] = _Rendering(version)
        try:
            rendering.answer = await self._render_in_steps(key, now, None, version)
            return rendering.answer
        finally:  # a client that goes away cancels this
            if self._in_progress.get(key) is rendering:
                del self._in_progress[key]
            for flag in rendering.waiting:
                flag.set()

    async def _render_in_steps(self, key: _Key, now: float, stall: Stall | None, version: int | None = None) -> Answer:
        engine, steps = self._engine, Steps()
        report = engine.with_probe_past(engine.report(key.probe, now, exclude=key.exclude))
        if stall is not None:
            report = report.with_stall(stall)
        wall = time.time()
        checks: list[CheckReport] = []
        for number, check in enumerate(report.checks, 1):
            checks.append(engine.with_past(check, now))
            if number % CHECKS_AT_ONCE == 0:
                await steps.may_end()
        report = replace(report, checks=tuple(checks))
        answer: Answer | None = None
        parts = explain_in_parts(report, self._service, wall=wall, unknown=key.unknown)
        for number, part in enumerate(parts, 1):
            answer = part
            if number % CHECKS_AT_ONCE == 0:
                await steps.may_end()
        assert answer is not None
        answer = self._headers.add_status(answer, key.probe, report.status)
        if version is not None:
            self._keep(key, version, now, report, answer)
        return answer

    def _find(self, key: _Key, version: int, now: float) -> Answer | None:
        entry = self._entries.get(key)
        return entry[2] if entry is not None and entry[0] == version and now < entry[1] else None

    def _keep(self, key: _Key, version: int, now: float, report: Report, answer: Answer) -> None:
        shows_durations = key.explain or report.phase not in (None, Phase.SERVING)
        until = min(report.until, now + DURATION_MAX_AGE) if shows_durations else report.until
        # A copy of the keys: another thread may add an entry meanwhile.
        keys = tuple(self._entries)
        for oldest in keys[: max(0, len(keys) + 1 - MAX_ENTRIES)]:
            self._entries.pop(oldest, None)
        self._entries[key] = version, until, answer
