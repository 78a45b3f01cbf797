"""What a target sends: a title and a text for people, and the incidents behind them for programs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import orjson

from .incidents import Cause, State

Kind = Literal["alert", "repeat", "flapping", "recovery", "test"]
"""What is new: something fails, it still does, it changes again and again, it is over; or nothing, it is a test."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A check that fails, or the blocked event loop. Its texts hold no credentials and no control characters.

    Attributes:
        subject: Name of the check, or ``event loop``.
        state: ``open``, ``flapping`` (it begins and ends again and again) or ``recovered``.
        status: The effect on the app, as the bodies of the probes name it. ``fail``: a probe answers 503. ``warn``:
            a warning, or the failure of a check that is not critical. Where `state` is not ``open``, the last effect.
        cause: ``check``: a result. ``stale``: no new result. ``stalled``: the event loop is blocked.
        message: What the check says; where it has recovered, what it said last.
        since: When it began (UTC).
        duration: Seconds from `since` to the moment of the message, or to the end of the incident.
        critical: Whether the failure of the check fails a probe.
        failures: Failed runs in a row; 0 where runs do not count.
    """

    subject: str
    state: State
    status: Literal["warn", "fail"]
    cause: Cause
    message: str
    since: datetime
    duration: float
    critical: bool
    failures: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as every target sends it. Its texts hold no credentials and no control characters but newlines.

    Attributes:
        id: Differs from that of every other message of any process. A message that is tried again keeps it as long as
            nothing new has been added.
        kind: What is new.
        title: One line, up to 150 characters.
        text: Plain text of several lines, up to about 4,000 characters.
        incidents: What the message is about, the worst first.
        more: Number of further incidents that `incidents` and `text` leave out.
        open: Number of all incidents that are open, those of earlier messages included.
        at: When the message was written (UTC). Each try writes it anew.
        service: Name and version of the app, None where it was not given.
        host: Name of the machine, or of the container.
        pid: Number of the process that sends it: with a Board one of the workers, without one each of them.
    """

    id: str
    kind: Kind
    title: str
    text: str
    incidents: tuple[Incident, ...]
    more: int
    open: int
    at: datetime
    service: str | None
    host: str
    pid: int


def to_json(message: Message) -> bytes:
    """Return `message` as one JSON object with the names of the attributes; moments as RFC 3339 in UTC, with ``Z``."""
    return orjson.dumps(message, option=orjson.OPT_UTC_Z)
