"""Renders what is new as a message: short enough for chats, without credentials, the worst first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from ...core.result import NAME_LIMIT
from ...core.status import Status
from ...formats.redact import redact
from .incidents import Entry
from .message import Incident, Kind, Message

MAX_INCIDENTS = 50
"""Incidents in the attribute `Message.incidents`; the rest is counted."""

MAX_TEXT = 1800
"""Characters of a text: Discord takes 2,000 in all, most chats more. What does not fit is counted."""

MAX_NAMES = 3
"""Subjects named in a title."""

MAX_OTHERS = 30
"""Subjects named in the line of those that are still open."""

HEADINGS = {"open": "Failing", "flapping": "Flapping", "recovered": "Recovered"}
CAUSES = {"check": "", "stale": "no new result", "stalled": "the event loop is blocked"}
STATUSES: dict[Status, Literal["warn", "fail"]] = {Status.DEGRADED: "warn", Status.UNHEALTHY: "fail"}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a message. All texts are clean.

    Attributes:
        service: Name and version of the app, None where they were not given.
        host: Name of the machine.
        pid: Number of the process.
    """

    service: str | None
    host: str
    pid: int

    @classmethod
    def of(cls, service: str | None, host: str, pid: int) -> "Sender":
        """Return the sender with cut and cleaned texts."""
        return cls(None if service is None else redact(service, NAME_LIMIT), redact(host, NAME_LIMIT), pid)

    def __str__(self) -> str:
        where = f"host {self.host}, process {self.pid}"
        return where if self.service is None else f"{self.service}, {where}"


def kind_of(entries: Iterable[Entry]) -> Kind:
    """Return what a message about these entries is: news of something that fails takes precedence."""
    new = {each.state for each in entries if each.is_new}
    if "open" in new:
        return "alert"
    if "flapping" in new:
        return "flapping"
    return "recovery" if "recovered" in new else "repeat"


def render(
    entries: Sequence[Entry], going_on: Sequence[str], sender: Sender, *, id: str, now: float, wall: float
) -> Message:
    """Return the message.

    Args:
        entries: What it is about, the worst first.
        going_on: Subjects of all open incidents, the worst first.
        sender: Who sends it.
        id: The identity of the message.
        now: The present moment (monotonic seconds).
        wall: The same moment (seconds since the epoch).
    """
    incidents = tuple(_incident(each, now, wall) for each in entries[:MAX_INCIDENTS])
    kind = kind_of(entries)
    mentioned = {each.subject for each in entries}
    others = [each for each in going_on if each not in mentioned]
    return Message(
        id=id,
        kind=kind,
        title=_title(kind, entries, sender),
        text=_text(incidents, entries, others, sender),
        incidents=incidents,
        more=len(entries) - len(incidents),
        open=len(going_on),
        at=_moment(wall),
        service=sender.service,
        host=sender.host,
        pid=sender.pid,
    )


def render_test(sender: Sender, *, id: str, wall: float) -> Message:
    """Return a message that tries whether a target delivers."""
    return Message(
        id=id,
        kind="test",
        title=f"Test of the alerts of {sender.service or sender.host}",
        text=f"This is a test. Nothing is wrong.\n\nSent by asgi-health: {sender}.",
        incidents=(),
        more=0,
        open=0,
        at=_moment(wall),
        service=sender.service,
        host=sender.host,
        pid=sender.pid,
    )


def duration_text(seconds: float) -> str:
    """Return a duration as people write it: ``12 s``, ``3 min 5 s``, ``2 h 10 min``, ``4 d 3 h``."""
    whole = max(0, round(seconds))
    for length, unit, rest_length, rest_unit in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= length:
            rest = whole % length // rest_length
            return f"{whole // length} {unit} {rest} {rest_unit}" if rest else f"{whole // length} {unit}"
    return f"{whole} s" if whole or seconds <= 0 else f"{seconds:.1f} s"


def _incident(entry: Entry, now: float, wall: float) -> Incident:
    problem = entry.problem
    end = now if entry.ended is None else entry.ended
    return Incident(
        subject=redact(entry.subject, NAME_LIMIT),
        state=entry.state,
        status=STATUSES[problem.status],
        cause=problem.cause,
        message=redact(problem.message),
        since=_moment(wall - (now - entry.began)),
        duration=round(max(0.0, end - entry.began), 3),
        critical=problem.critical,
        failures=problem.failures,
    )


def _title(kind: Kind, entries: Sequence[Entry], sender: Sender) -> str:
    state = {"flapping": "flapping", "recovery": "recovered"}.get(kind, "open")
    chosen = [each for each in entries if each.state == state and (each.is_new or kind == "repeat")] or entries
    names = ", ".join(each.subject for each in chosen[:MAX_NAMES])
    if len(chosen) > MAX_NAMES:
        names = f"{names} and {len(chosen) - MAX_NAMES} more"
    only_warnings = all(each.problem.status is Status.DEGRADED for each in chosen)
    word = {
        "alert": "WARN" if only_warnings else "FAIL",
        "repeat": "STILL WARNING" if only_warnings else "STILL FAILING",
        "flapping": "FLAPPING",
        "recovery": "OK",
    }[kind]
    return redact(f"{word}: {names} ({sender.service or sender.host})", 150)


def _text(incidents: Sequence[Incident], entries: Sequence[Entry], others: Sequence[str], sender: Sender) -> str:
    counts = {state: sum(each.state == state for each in entries) for state in HEADINGS}
    footer = _footer(others, sender)
    left = MAX_TEXT - len(footer) - 100 * len(HEADINGS)
    # One incident may say all that it knows. Of many, each gets its share, and the rest is counted.
    limit = max(160, left // max(1, len(incidents)) - 160)
    lines: list[str] = []
    for state, heading in HEADINGS.items():
        if not counts[state]:
            continue
        shown = 0
        lines.append(f"{heading} ({counts[state]}):")
        for incident, entry in zip(incidents, entries, strict=False):
            if incident.state != state:
                continue
            line = f"- {_line(incident, entry, limit)}"
            if len(line) > left and shown:
                break
            left -= len(line) + 1
            shown += 1
            lines.append(line)
        if shown < counts[state]:
            lines.append(f"- and {counts[state] - shown} more")
        lines.append("")
    return "\n".join([*lines, footer])


def _line(incident: Incident, entry: Entry, limit: int) -> str:
    message = redact(incident.message, limit) or CAUSES[incident.cause]
    duration = duration_text(incident.duration)
    name = f"{incident.subject} ({incident.status})" if incident.status == "warn" else incident.subject
    match incident.state:
        case "open":
            runs = f", {incident.failures} failed runs in a row" if incident.failures > 1 else ""
            since = f"{incident.since:%Y-%m-%d %H:%M:%S} UTC"
            return f"{name}: {message or 'fails'}. Since {since} ({duration}){runs}."
        case "flapping":
            return (
                f"{name}: began or ended {entry.changes} times within {duration}. No message about it until it is"
                f" steady, except for reminders. Last: {message or 'fails'}."
            )
        case "recovered":
            return f"{name}: over after {duration}. Last: {message or 'failed'}."


def _footer(others: Sequence[str], sender: Sender) -> str:
    sent = f"Sent by asgi-health: {sender}."
    if not others:
        return sent
    named = [redact(each, NAME_LIMIT) for each in others[:MAX_OTHERS]]
    text = redact(", ".join(named), 300)
    more = f", {len(others)} in all" if len(others) > len(named) or len(text) >= 300 else ""
    return f"Still open: {text}{more}.\n\n{sent}"


def _moment(wall: float) -> datetime:
    return datetime.fromtimestamp(wall, UTC)
