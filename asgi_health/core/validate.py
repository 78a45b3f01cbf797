"""Validation of arguments: each error names the subject, what was found and what was expected."""

import math
from types import UnionType

MIN_SECONDS = 0.001
"""Seconds. The timers of event loops do not resolve shorter times."""

MAX_SECONDS = 31_536_000
"""Seconds. A year: no result needs to count for longer, and sums of larger numbers lose precision."""

MAX_WAIT = 300
"""Seconds. No client and no server waits longer: a larger number is probably meant as milliseconds."""


def require_type(subject: str, value: object, kind: type | UnionType) -> None:
    """Raise TypeError unless `value` is a `kind`; callers without a type checker may pass anything."""
    if not isinstance(value, kind):
        name = kind.__name__ if isinstance(kind, type) else str(kind)
        raise TypeError(f"{subject} must be of type {name}, not {value!r:.80}")


def require_seconds(subject: str, value: object) -> None:
    """Raise TypeError or ValueError unless `value` is a positive, finite number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{subject} must be a number of seconds, not {value!r}")
    if not 0 < value < math.inf:
        raise ValueError(f"{subject} must be a positive, finite number of seconds, not {value!r}")
    if value < MIN_SECONDS:
        raise ValueError(f"{subject} must be at least {MIN_SECONDS} s, the resolution of an event loop, not {value!r}")
    if value > MAX_SECONDS:
        # The number itself may have more digits than Python prints.
        raise ValueError(f"{subject} must be at most {MAX_SECONDS} s, a year")


def require_seconds_or_zero(subject: str, value: object) -> None:
    """Raise TypeError or ValueError unless `value` is a finite number of seconds, or 0 for "off"."""
    if isinstance(value, bool) or value != 0:
        require_seconds(subject, value)


def require_short(subject: str, seconds: float, longest: int = MAX_WAIT) -> None:
    """Raise ValueError for more than `longest` seconds, which are probably meant as milliseconds."""
    if seconds > longest:
        raise ValueError(f"{subject} must be at most {longest} s, not {seconds:g} s{in_milliseconds(seconds)}")


def in_milliseconds(number: float) -> str:
    """Return, for the end of an error message, how `number` is written if it was meant as milliseconds."""
    return f"; the unit is seconds, and {number:g} ms would be {number / 1000:g}"


def require_count(subject: str, value: object) -> None:
    """Raise TypeError or ValueError unless `value` is a whole number, at least 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{subject} must be a whole number, not {value!r}")
    if value < 1:
        raise ValueError(f"{subject} must be at least 1, not {value}")
