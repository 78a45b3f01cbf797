"""What a constructor refuses: the subject, what was found, what was expected."""

import math
from types import UnionType

SHORTEST = 0.001
"""Seconds. What is shorter no timer of an event loop can keep apart from nothing."""

LONGEST = 31_536_000
"""Seconds. A result that lives longer than a year will not be missed, and sums of larger numbers stop being exact."""


LONGEST_WAIT = 300
"""Seconds. No client and no server waits longer: a larger number is one of milliseconds."""


def require_type(subject: str, value: object, kind: type | UnionType) -> None:
    """Raise TypeError unless `value` is a `kind`; callers without a type checker hand over anything."""
    if not isinstance(value, kind):
        name = kind.__name__ if isinstance(kind, type) else str(kind)
        raise TypeError(f"{subject} must be of type {name}, not {value!r:.80}")


def require_seconds(subject: str, value: object) -> None:
    """Raise TypeError or ValueError unless `value` is a positive, finite number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{subject} must be a number of seconds, not {value!r}")
    if not 0 < value < math.inf:
        raise ValueError(f"{subject} must be a positive, finite number of seconds, not {value!r}")
    if value < SHORTEST:
        raise ValueError(f"{subject} must be at least {SHORTEST} s, the resolution of an event loop, not {value!r}")
    if value > LONGEST:
        # The number itself may have more digits than Python prints.
        raise ValueError(f"{subject} must be at most {LONGEST} s, a year")


def require_seconds_or_zero(subject: str, value: object) -> None:
    """Raise TypeError or ValueError unless `value` is a finite number of seconds, or 0 for "off"."""
    if isinstance(value, bool) or value != 0:
        require_seconds(subject, value)


def require_short(subject: str, seconds: float, longest: int = LONGEST_WAIT) -> None:
    """Raise ValueError for `seconds` that only make sense as milliseconds."""
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
