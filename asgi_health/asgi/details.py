"""What readers get where an app has details: which format, of which checks, and what is wrong with their query."""

from collections.abc import Iterator, Sequence

from ..core.engine import Engine
from ..core.stalls import Stall
from ..core.status import Probe, Status
from ..core.transition import Reason
from ..formats.accept import prefers_html
from ..formats.answer import NOT_FOUND, Answer, bad_request, minimal, strictly, unauthorized
from ..formats.badge import badge, label_of
from ..formats.page import View, public_page
from ..formats.service import ServiceInfo
from .details_cache import DetailsCache, DetailsRequest
from .query import NO_OPTIONS, PAGE_OPTIONS, Format, Options, accept_of, hint, parse_options, public_option
from .response_headers import ResponseHeaders
from .types import Scope

MAX_LISTED = 50
"""Known names in an answer that says which there are."""


class Details:
    """Answer the readers of an app that has details. Several threads may use it at the same time.

    Args:
        engine: The engine whose reports are answered.
        service: What the details say about the app itself.
        headers: The headers that answers get in addition to their own.
        challenge: What makes a browser ask for credentials; None where it cannot sign in.
        pages: The paths at which a page may be.
        events: A path of the events; None where there are none.
    """

    def __init__(
        self,
        engine: Engine,
        service: ServiceInfo | None,
        headers: ResponseHeaders,
        challenge: bytes | None,
        *,
        pages: tuple[str, ...],
        events: str | None,
    ) -> None:
        self._engine = engine
        self._challenge = challenge
        self._headers = headers
        self._cache = DetailsCache(engine, service, headers, pages=pages, events=events)

    async def answer(
        self, scope: Scope, probe: Probe, check: str | None, now: float, stall: Stall | None
    ) -> Answer | None:
        """Return the answer to an authorised reader, None when the query asks for the status only.

        A request for the status of a probe comes from a prober. What is wrong with its query is ignored where that is
        safe: the name of a check that has been removed must not take the app out of the rotation. A request for details
        comes from a person or a program of theirs, and is answered with what is wrong.

        Args:
            scope: The request.
            probe: The probe.
            check: Name of the one check of the probe that the request asks for; None for the whole probe.
            now: The present moment (monotonic seconds).
            stall: The present stall of the event loop, if any.
        """
        options = parse_options(scope.get("query_string"))
        if check is not None:
            return await self._of_check(probe, check, options, now, stall)
        if probe is not Probe.HEALTH and not options.verbose:
            return self._status(probe, options, now, stall)
        exclude = options.exclude
        if options is not NO_OPTIONS:
            if problems := [*options.problems(), *self._unknown_checks(options), *self._unknown_groups(probe, options)]:
                return bad_request(problems)
            # Without those of other probes, so that equal answers are one.
            exclude &= {each.name for each in self._engine.checks if probe is Probe.HEALTH or probe in each.probes}
        by_accept = probe is Probe.HEALTH and not options.explain and prefers_html(accept_of(scope))
        format_: Format = options.format or ("html" if by_accept else "json")
        if format_ == "html":
            return await self._cache.answer(_page_request(probe, options, exclude), now, stall)
        if options.search or options.status or options.page:
            return bad_request([f"option: {_or(PAGE_OPTIONS)} is for the page alone; expected format=html"])
        request = DetailsRequest(
            probe,
            format_,
            explain=options.explain and options.format in (None, "json"),
            strict=options.strict,
            exclude=exclude,
            groups=options.groups,
        )
        return await self._cache.answer(request, now, stall)

    def answer_public(self, scope: Scope, probe: Probe, status: Status, reason: Reason | None) -> Answer | None:
        """Return the answer to a reader who is not authorised, None for the status as JSON.

        ``?format=badge`` shows what every client may read, and the README of a project is read without credentials.
        Only ``?signin`` is answered with 401. Any other request gets the status, because a monitor that prefers HTML
        would take 401 for a failure, and one without credentials must be able to see that the app is well.

        Args:
            scope: The request.
            probe: The probe.
            status: Its status.
            reason: Why it has this status.
        """
        option = public_option(scope.get("query_string"))
        if option == "badge":
            return badge(label_of(probe), status, reason)
        if probe is not Probe.HEALTH:
            return None
        html = prefers_html(accept_of(scope))
        if self._challenge is not None and option == "signin":
            shown = public_page(status, reason, sign_in=True) if html else minimal(status, reason=reason)
            return unauthorized(shown, self._challenge)
        return public_page(status, reason, sign_in=self._challenge is not None) if html else None

    async def _of_check(self, probe: Probe, name: str, options: Options, now: float, stall: Stall | None) -> Answer:
        if not any(check.name == name and probe in check.probes for check in self._engine.checks):
            return NOT_FOUND
        problems = options.problems()
        if options.format == "html":
            problems.append("format: html is not there for a single check; expected json, text, atom or badge")
        if problems:
            return bad_request(problems)
        format_: Format = options.format or "json"
        request = DetailsRequest(
            probe, format_, name, explain=options.explain and format_ == "json", strict=options.strict
        )
        return await self._cache.answer(request, now, stall)

    def _status(self, probe: Probe, options: Options, now: float, stall: Stall | None) -> Answer | None:
        """Return the answer of a probe without details, None where no option changes it."""
        if options.exclude or options.groups:
            # Without this a group that no check has would be healthy.
            if problems := [*self._unknown_groups(probe, options)]:
                return bad_request(problems)
            report = self._engine.report(probe, now, exclude=options.exclude, groups=options.groups)
            status, reason = report.status, report.reason
        elif options.strict:
            known = self._engine.probe_status(probe)
            status, reason = known.at(now), known.reason_at(now)
        else:
            return None
        if stall is not None and stall.too_long and status is not Status.UNHEALTHY:
            status, reason = Status.UNHEALTHY, None
        answer = minimal(status, reason=reason)
        return self._headers.add_status(strictly(answer, status) if options.strict else answer, probe, status)

    def _unknown_checks(self, options: Options) -> Iterator[str]:
        if options.exclude:
            names = {check.name: None for check in self._engine.checks}
            if unknown := options.exclude - names.keys():
                yield _unknown("exclude", "check", unknown, list(names))

    def _unknown_groups(self, probe: Probe, options: Options) -> Iterator[str]:
        if options.groups:
            checks = [each for each in self._engine.checks if probe is Probe.HEALTH or probe in each.probes]
            groups = {check.group: None for check in checks if check.group is not None}
            if unknown := options.groups - groups.keys():
                yield _unknown("group", "group", unknown, list(groups))


def _page_request(probe: Probe, options: Options, exclude: frozenset[str]) -> DetailsRequest:
    return DetailsRequest(
        probe,
        "html",
        strict=options.strict,
        exclude=exclude,
        groups=options.groups,
        view=View(options.search, options.status, options.groups, options.page_number),
    )


def _or(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _unknown(option: str, kind: str, unknown: frozenset[str], known: list[str]) -> str:
    """Return what is wrong with the names that an option gives. The names themselves are not repeated."""
    count = f"{len(unknown)} of the names {'is' if len(unknown) == 1 else 'are'} not known"
    if not known:
        return f"{option}: {count}; there is no {kind} here"
    listed = ", ".join(known[:MAX_LISTED])
    more = f" and {len(known) - MAX_LISTED} more" if len(known) > MAX_LISTED else ""
    return f"{option}: {count}{hint(min(unknown), known)}{kind}s: {listed}{more}"
