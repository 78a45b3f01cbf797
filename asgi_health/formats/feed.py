"""The incidents of a probe and of its checks as a feed (Atom, RFC 4287), which chats and mail programs subscribe to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from urllib.parse import urlencode
from uuid import UUID, uuid5

from ..core.history import MAX_FLIPS
from ..core.past import CheckFlip, ProbeFlip
from ..core.report import CheckReport, Report
from ..core.status import Status
from .answer import WORDS, Answer, answer
from .health_json import timestamp
from .redact import redact
from .service import ServiceInfo
from .workers import workers_behind

ATOM = b"application/atom+xml; charset=utf-8"

MAX_INCIDENTS = 100
"""Incidents in a feed: the newest."""

FEEDS = UUID("8f0a4f0e-6d3c-5b0e-9d6b-3c1f4f9f2b7a")
"""Namespace of the identities of feeds, which are those of a service: they outlive a process."""

_CAUSES = ("check", "stale", "stalled", "worker")
"""Causes of incidents. The others are phases: neither a deployment nor a maintenance is one."""

_WITHOUT_NAMES = {"stalled": "the event loop was blocked", "worker": "another worker of the host"}

_VERBS = {Status.DEGRADED: "degraded", Status.UNHEALTHY: "failed"}


@dataclass(slots=True)
class Incident:
    """A time in which a probe or a check was not healthy. All times are monotonic seconds.

    Attributes:
        subject: The probe, or the name of the check.
        began: When it began.
        changed: When its status last changed; that is the end of one that is over.
        worst: Its worst status.
        ended: Whether it is over.
        cause: Why it began; empty for a check.
        checks: Names of the checks behind the worst status.
        more: Number of further checks.
        output: What the check says at present; empty where the incident is over.
        maintained_until: When the present maintenance of the check ends; None for none.
        group: Group of the check; empty for none, and for a probe.
    """

    subject: str
    began: float
    changed: float
    worst: Status
    ended: bool = False
    cause: str = ""
    checks: list[str] = field(default_factory=list[str])
    more: int = 0
    output: str = ""
    maintained_until: float | None = None
    group: str = ""


def feed(report: Report, service: ServiceInfo | None, *, epoch: float, process: UUID) -> Answer:
    """Return the feed of `report`; `feed_in_parts` explains the arguments."""
    *_, answered = feed_in_parts(report, service, epoch=epoch, process=process)
    assert answered is not None
    return answered


def feed_in_parts(
    report: Report, service: ServiceInfo | None, *, epoch: float, process: UUID
) -> Iterator[Answer | None]:
    """Yield None after each check and each entry, and the feed in the end: the caller may do other work in between.

    It is always 200: a reader drops a feed that is answered with 503.

    Args:
        report: The report, with its history.
        service: The name of the service is that of the author.
        epoch: Seconds since the epoch at which the clock of the report was 0.
        process: Namespace of the identities of incidents, which belong to one process.
    """
    incidents: list[Incident] = []
    # The past of a probe is that of all its checks.
    if report.history is not None and not report.excluded and not report.groups:
        incidents += incidents_of_probe(report.probe.value, report.history.flips)
        if incidents and not incidents[-1].ended and report.host is not None:
            incidents[-1].output = workers_behind(report.host, report.probe, report.status)
    for check in report.checks:
        incidents += incidents_of_check(check)
        yield None
    newest = sorted(incidents, key=lambda each: (each.changed, each.began), reverse=True)[:MAX_INCIDENTS]
    rendered: list[str] = []
    for each in newest:
        rendered.append(_entry(each, epoch, process))
        yield None
    name = "" if service is None else redact(service.name)
    name = name or "asgi-health"
    about = " ".join([report.probe.value, *report.groups, *(each.name for each in report.checks if _alone(report))])
    body = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"<id>{uuid5(FEEDS, f'{name} {about} {report.excluded}').urn}</id>\n"
        f"<title>{escape(f'{name}: {about}')}</title>\n"
        f"<updated>{timestamp(_updated(report, newest) + epoch)}</updated>\n"
        f'<link rel="self" href="{escape(_address(report))}"/>\n'
        f"<author><name>{escape(name)}</name></author>\n"
        f"<generator>asgi-health</generator>\n"
        f"{''.join(rendered)}"
        "</feed>\n"
    )
    yield answer(200, ATOM, body.encode())


def incidents_of_probe(probe: str, flips: tuple[ProbeFlip, ...]) -> list[Incident]:
    """Return the incidents in the changes of a probe: from a check, a stale result or a blocked loop to the end of it.

    One that began before the first change that is kept is left out, because its beginning is its identity.
    """
    found: list[Incident] = []
    present: Incident | None = None
    truncated = len(flips) == MAX_FLIPS and flips[0].old is not Status.HEALTHY
    for before, flip in zip((None, *flips), flips, strict=False):
        goes_on = flip.new is not Status.HEALTHY and (flip.cause in _CAUSES or _ends_phase(before, flip))
        if not goes_on:
            truncated = False
        if truncated:
            continue
        if present is not None:
            present.changed = flip.at
            present.ended = not goes_on
        if not goes_on:
            present = None
            continue
        if present is None:
            cause = flip.cause if flip.cause in _CAUSES else "check"
            present = Incident(probe, flip.at, flip.at, flip.new, cause=cause)
            found.append(present)
        if flip.new > present.worst:
            present.worst, present.checks, present.more = flip.new, [], 0
        if flip.new is present.worst:
            present.checks += (name for name in flip.checks if name not in present.checks)
            present.more = max(present.more, flip.more)
    return found


def _ends_phase(before: ProbeFlip | None, flip: ProbeFlip) -> bool:
    """Return whether a phase has ended, so that it is the checks that give the probe its status from now on."""
    same = before is not None and before.cause == flip.cause and before.new is Status.UNHEALTHY
    return flip.cause == "started" or (flip.new is Status.DEGRADED and same)


def incidents_of_check(check: CheckReport) -> list[Incident]:
    """Return the incidents in the changes of a check, without one that began before the first change that is kept."""
    if check.history is None:
        return []
    found: list[Incident] = []
    present: Incident | None = None
    flips: tuple[CheckFlip, ...] = check.history.flips
    truncated = len(flips) == MAX_FLIPS
    for flip in flips:
        starts_again = flip.old is None or flip.old is Status.HEALTHY or flip.new is Status.HEALTHY
        if starts_again:
            truncated = False
        if truncated:
            continue
        if present is not None:
            present.changed = flip.at
            present.ended = starts_again
        if starts_again:
            present = None
        if flip.new is Status.HEALTHY:
            continue
        if present is None:
            present = Incident(check.name, flip.at, flip.at, flip.new, group=check.check.group or "")
            found.append(present)
        present.worst = max(present.worst, flip.new)
    if present is not None:
        present.output = check.output
        present.maintained_until = None if check.maintenance is None else check.maintenance.until
    return found


def _address(report: Report) -> str:
    """Return the address of the feed, relative to that of the path."""
    chosen = [("group", each) for each in report.groups] + [("exclude", each) for each in report.excluded]
    return f"?{urlencode([('format', 'atom'), *chosen])}"


def _updated(report: Report, newest: list[Incident]) -> float:
    """Return when the feed last changed: where it has no entry, when the past that it is about began."""
    if newest:
        return newest[0].changed
    if report.since is not None:
        return report.since
    return min((flip.at for each in report.checks if each.history for flip in each.history.flips), default=report.now)


def _alone(report: Report) -> bool:
    """Return whether the report is that of one check."""
    return report.phase is None


def _entry(incident: Incident, epoch: float, process: UUID) -> str:
    # By the clock that only goes forward: the other one is set now and then, and the identity must not change.
    identity = uuid5(process, f"{incident.subject} {incident.began!r} {'probe' if incident.cause else 'check'}")
    names = ", ".join(incident.checks)
    if incident.more:
        names += f" and {incident.more} more"
    because = names or _WITHOUT_NAMES.get(incident.cause, "")
    title = f"{incident.subject} {_VERBS[incident.worst]}{f': {because}' if because else ''}"
    parts = [f"Status: {WORDS[incident.worst]}."]
    if incident.cause:
        parts.append(f"Cause: {incident.cause}.")
    if names:
        parts.append(f"Checks: {names}.")
    if incident.group:
        parts.append(f"Group: {incident.group}.")
    since = timestamp(incident.began + epoch)
    if incident.ended:
        lasted = duration(incident.changed - incident.began)
        parts.append(f"From {since} to {timestamp(incident.changed + epoch)}: {lasted}.")
    else:
        parts.append(f"Since {since}; it goes on.")
    if incident.maintained_until is not None:
        parts.append(f"In maintenance until {timestamp(incident.maintained_until + epoch)}.")
    if incident.output:
        parts.append(f"Now: {redact(incident.output)}")
    terms = [WORDS[incident.worst], incident.group]
    categories = "".join(f'<category term="{escape(each)}"/>' for each in terms if each)
    return (
        "<entry>\n"
        f"<id>{identity.urn}</id>\n"
        f"<title>{escape(title)}</title>\n"
        f"<published>{since}</published>\n"
        f"<updated>{timestamp(incident.changed + epoch)}</updated>\n"
        f"{categories}\n"
        f"<content>{escape(' '.join(parts))}</content>\n"
        "</entry>\n"
    )


def duration(seconds: float) -> str:
    """Return a time in its two largest units: ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller, rest in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            count, left = whole // size, whole % size // smaller
            return f"{count} {unit} {left} {rest}" if left else f"{count} {unit}"
    return f"{whole} s"
