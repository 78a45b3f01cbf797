"""Answers with details, rendered once per change however many requests ask for them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from os import getpid
from typing import NamedTuple
from uuid import UUID, uuid4, uuid5

from ..core.engine import Engine
from ..core.lifecycle import Phase
from ..core.report import CheckReport, Report
from ..core.stalls import Stall
from ..core.status import Probe
from ..formats.answer import CODES, Answer, strictly
from ..formats.badge import badge, label_of
from ..formats.explain import explain, explain_in_parts
from ..formats.feed import feed, feed_in_parts
from ..formats.health_json import health_json
from ..formats.page import LiveSource, View, page_in_parts
from ..formats.service import ServiceInfo
from ..formats.text import text
from ..runtime.backends.detection import current_backend
from ..runtime.backends.interface import Flag
from .app_facts import app_facts
from .events.event_id import event_id
from .query import Format
from .response_headers import ResponseHeaders
from .steps import Steps

MAX_ENTRIES = 64
"""Different answers kept at a time; beyond that the oldest is removed. Readers vary `exclude` by hand."""

CHECKS_AT_ONCE = 16
"""Checks that are explained without a look at the clock: a third of a millisecond."""

ROWS_AT_ONCE = 4
"""Checks that are rendered as rows of a page without a look at the clock: a millisecond."""

MAX_WAIT = 1.0
"""Seconds for which a request waits for the explanation that another one renders; then it renders its own."""

MAX_DRIFT = 1.0
"""Seconds by which the clock of the day may differ from the monotonic one until a feed shows other times."""

DURATION_MAX_AGE = 0.5
"""Seconds for which an answer that shows durations is kept: that of a phase, and those of an explanation."""


class DetailsRequest(NamedTuple):
    """What a reader asks for: it distinguishes one answer from another, but for the moment.

    Attributes:
        probe: The probe.
        format: The format.
        check: Name of the one check of the probe that the request asks for; None for the whole probe.
        explain: Whether the details say why the status is what it is.
        strict: Whether a warning is answered with 503.
        exclude: Names of the checks to leave out.
        groups: Groups whose checks alone are wanted; empty for all checks.
        view: Which checks a page shows.
    """

    probe: Probe
    format: Format
    check: str | None = None
    explain: bool = False
    strict: bool = False
    exclude: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    view: View = View()

    @property
    def has_past(self) -> bool:
        """Whether the answer shows the past."""
        return self.explain or self.format in ("html", "atom")


@dataclass(slots=True, eq=False)
class _Rendering:
    """An explanation in progress, and those that wait for it."""

    version: int
    answer: Answer | None = None
    waiting: list[Flag] = field(default_factory=list[Flag])


class DetailsCache:
    """Answer readers of details, and keep each answer until something changes that it shows.

    Several threads may use it at the same time.

    Args:
        engine: The engine whose reports are answered.
        service: What the details say about the app itself.
        headers: The headers that answers get in addition to their own.
        pages: The paths at which a page may be.
        events: The path of the events, at which a page asks for what follows; None where there are none.
    """

    def __init__(
        self,
        engine: Engine,
        service: ServiceInfo | None,
        headers: ResponseHeaders,
        *,
        pages: tuple[str, ...] = (),
        events: str | None = None,
    ) -> None:
        self._engine = engine
        self._headers = headers
        self._service = service
        self._pages = pages
        self._events = events
        self._entries: dict[DetailsRequest, tuple[int, float, Answer]] = {}
        self._namespace = uuid4()
        self._last_epoch: float | None = None
        self._in_progress: dict[DetailsRequest, _Rendering] = {}

    async def answer(self, request: DetailsRequest, now: float, stall: Stall | None) -> Answer:
        """Return the answer to `request`.

        Args:
            request: What a reader asks for. Its check is one of the probe.
            now: The present moment (monotonic seconds).
            stall: The present stall of the event loop, if any.
        """
        if request.check is None and request.has_past:
            return await self._answer_in_steps(request, now, stall)
        return self._answer_at_once(request, now, stall)

    def _answer_at_once(self, request: DetailsRequest, now: float, stall: Stall | None) -> Answer:
        version = self._engine.version
        if stall is None and (found := self._find(request, version, now)) is not None:
            return found
        report = self._report(request, now, stall)
        wall = time.time()
        if request.format == "text":
            answer = text(report)
        elif request.format == "badge":
            groups = tuple(sorted(request.groups))
            answer = badge(label_of(request.probe, request.check, groups), report.status, report.reason)
        elif request.format == "atom":
            answer = feed(report, self._service, epoch=self._epoch(report, wall), process=self._process())
        elif request.explain:
            answer = explain(report, self._service, wall=wall)
        else:
            answer = health_json(report, self._service, wall=wall)
        answer = self._finish(request, report, answer)
        if stall is None:
            self._keep(request, version, now, report, answer)
        return answer

    def _report(self, request: DetailsRequest, now: float, stall: Stall | None) -> Report:
        if request.check is None:
            report = self._engine.report(request.probe, now, exclude=request.exclude, groups=request.groups)
        else:
            report = self._engine.report_check(request.check, request.probe, now, history=request.has_past)
        return report if stall is None else report.with_stall(stall)

    def _finish(self, request: DetailsRequest, report: Report, answer: Answer) -> Answer:
        if request.format in ("atom", "badge"):
            return answer  # no answer to a prober
        if request.strict:
            answer = strictly(answer, report.status)
        return self._headers.add_status(answer, request.probe, report.status) if request.check is None else answer

    async def _answer_in_steps(self, request: DetailsRequest, now: float, stall: Stall | None) -> Answer:
        """Return an answer with the past of a probe, rendered in steps: that of a thousand checks takes 20 ms.

        A request that comes while one of the same version is rendered waits for it.
        """
        version = self._engine.version
        if stall is not None:
            return await self._render_in_steps(request, now, stall)
        if (found := self._find(request, version, now)) is not None:
            return found
        present = self._in_progress.get(request)
        if present is not None and present.version == version:
            flag = current_backend().flag()
            present.waiting.append(flag)
            if present is self._in_progress.get(request):  # otherwise another thread has ended it meanwhile
                await flag.wait(MAX_WAIT)
            if present.answer is not None:
                return present.answer
        rendering = self._in_progress[request] = _Rendering(version)
        try:
            rendering.answer = await self._render_in_steps(request, now, None, version)
            return rendering.answer
        finally:  # a client that goes away cancels this
            if self._in_progress.get(request) is rendering:
                del self._in_progress[request]
            for flag in rendering.waiting:
                flag.set()

    async def _render_in_steps(
        self, request: DetailsRequest, now: float, stall: Stall | None, version: int | None = None
    ) -> Answer:
        engine, steps = self._engine, Steps()
        judged = self._report(request, now, stall)
        # A group filters what a page shows, and decides its status code; the rest of the page describes the whole app.
        whole = self._report(request._replace(groups=frozenset()), now, stall) if request.view.groups else judged
        report = engine.with_probe_past(whole)
        wall = time.time()
        at_once = ROWS_AT_ONCE if request.format == "html" else CHECKS_AT_ONCE
        if request.format != "html":
            checks: list[CheckReport] = []
            for number, check in enumerate(report.checks, 1):
                checks.append(engine.with_past(check, now))
                if number % CHECKS_AT_ONCE == 0:
                    await steps.may_end()
            report = replace(report, checks=tuple(checks))
        answer: Answer | None = None
        for number, part in enumerate(self._parts(request, report, wall), 1):
            answer = part
            if part is None and number % at_once == 0:
                await steps.may_end()
        assert answer is not None
        if whole is not judged:
            answer = replace(answer, status=CODES[judged.status])
        answer = self._finish(request, judged, answer)
        if version is not None:
            self._keep(request, version, now, report, answer)
        return answer

    def _parts(self, request: DetailsRequest, report: Report, wall: float) -> Iterator[Answer | None]:
        """Yield None after each part of the work, and the answer in the end."""
        if request.format == "html":
            # The events are those of all checks: a page of a part of them is loaded again instead.
            whole = request.probe is Probe.HEALTH and not request.exclude
            live = LiveSource(self._events, event_id(report.now), self._pages) if whole and self._events else None
            yield from page_in_parts(
                report,
                self._service,
                wall=wall,
                facts=app_facts(self._engine, report.now),
                view=request.view,
                live=live,
                with_past=lambda check: self._engine.with_past(check, report.now),  # for those on the page alone
            )
        elif request.format == "atom":
            yield from feed_in_parts(report, self._service, epoch=self._epoch(report, wall), process=self._process())
        else:
            yield from explain_in_parts(report, self._service, wall=wall)

    def _epoch(self, report: Report, wall: float) -> float:
        """Return at which second since the epoch the clock of the report was 0: the same one, unless a clock is set.

        Two readings of two clocks differ by some microseconds each time, and the entries of a feed must not.
        """
        epoch = wall - report.now
        if self._last_epoch is None or abs(epoch - self._last_epoch) > MAX_DRIFT:
            self._last_epoch = epoch
        return self._last_epoch

    def _process(self) -> UUID:
        return uuid5(self._namespace, str(getpid()))  # the workers of a server may be forked from one process

    def _find(self, request: DetailsRequest, version: int, now: float) -> Answer | None:
        entry = self._entries.get(request)
        return entry[2] if entry is not None and entry[0] == version and now < entry[1] else None

    def _keep(self, request: DetailsRequest, version: int, now: float, report: Report, answer: Answer) -> None:
        shows_durations = request.explain or request.format == "html" or report.phase not in (None, Phase.SERVING)
        until = min(report.until, now + DURATION_MAX_AGE) if shows_durations else report.until
        # A copy of the keys: another thread may add an entry meanwhile.
        keys = tuple(self._entries)
        for oldest in keys[: max(0, len(keys) + 1 - MAX_ENTRIES)]:
            self._entries.pop(oldest, None)
        self._entries[request] = version, until, answer
