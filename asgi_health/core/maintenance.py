"""Maintenance: a planned interruption of one check or of the whole app, which always ends by itself."""

from dataclasses import dataclass

MAX_MAINTENANCE = 7 * 86400
"""Seconds of the longest maintenance: a week. One that should never end is a change of the configuration."""

MAX_REASON = 200
"""Characters of the reason for a maintenance."""


@dataclass(frozen=True, slots=True)
class Maintenance:
    """One maintenance. All times are monotonic seconds.

    Attributes:
        check: Name of the check whose failures count as degraded; None for the whole app, which is not ready.
        reason: Why, in the words of the person who began it; may be empty.
        since: When it began (monotonic seconds).
        until: When it ends by itself (monotonic seconds).
    """

    check: str | None
    reason: str
    since: float
    until: float


def subject_of(check: str | None) -> str:
    """Return what is in maintenance, for texts."""
    return "the app" if check is None else f"check {check!r}"
