"""Moments and durations as HTML and as words."""

from dataclasses import dataclass
from datetime import UTC, datetime

from ..health_json import timestamp

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Clock:
    """The moment of a page: it dates what happened, on the wall clock of the server.

    Attributes:
        now: The moment (monotonic seconds).
        wall: The same moment (seconds since the epoch).
    """

    now: float
    wall: float

    def time(self, moment: float) -> str:
        """Return a moment (monotonic seconds) as a time in UTC. The script shows it in the zone of the reader."""
        seconds = self._wall(moment)
        iso = timestamp(seconds)
        when, today = datetime.fromtimestamp(seconds, UTC), datetime.fromtimestamp(self.wall, UTC)
        shown = f"{when:%H:%M:%S} UTC" if when.date() == today.date() else f"{when.day} {when:%b}, {when:%H:%M} UTC"
        return f'<time datetime="{iso}" title="{iso}">{shown}</time>'

    def since(self, moment: float) -> str:
        """Return ``since <time>, <elapsed>``. The script lets the elapsed time go on."""
        return f"since {self.time(moment)}, {self.elapsed(moment)}"

    def elapsed(self, moment: float) -> str:
        """Return the time since a moment (monotonic seconds), which the script lets go on."""
        return f'<span data-since="{self._wall(moment) * 1000:.0f}">{elapsed(self.now - moment)}</span>'

    def _wall(self, moment: float) -> float:
        return self.wall + moment - self.now


def elapsed(seconds: float) -> str:
    """Return a time in words, to its two largest units: ``3 min``, ``2 h 5 min``. The script has the same function."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < DAY:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return _two(whole // DAY, "d", whole % DAY // 3600, "h")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")


def duration(seconds: float) -> str:
    """Return the duration of a run in words: ``0.4 ms``, ``340 ms``, ``2.1 s``."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"


def setting(seconds: float) -> str:
    """Return a configured number of seconds, as it was written: ``10 s``, ``0.5 s``."""
    return f"{seconds:g} s"
