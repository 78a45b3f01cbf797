"""The ids of events: which state of which process a client has seen."""

import os
from math import inf

MAX_LENGTH = 64
"""Characters of an id that are read."""

_tokens: dict[int, str] = {}
"""The random part of the ids of each process. A forked process needs its own, because it shares the clock."""


def event_id(moment: float) -> str:
    """Return the id of the state at `moment` (monotonic seconds): ``<random per process>-<microseconds>``."""
    return f"{_token()}-{moment * 1e6:.0f}"


def moment_of(id: str) -> float:
    """Return the moment of an id of this process (monotonic seconds); minus infinity for any other text."""
    token, dash, number = id[:MAX_LENGTH].rpartition("-")
    if not dash or token != _token() or not (number.isascii() and number.isdecimal()):
        return -inf
    return int(number) / 1e6


def _token() -> str:
    process = os.getpid()
    return _tokens.get(process) or _tokens.setdefault(process, os.urandom(6).hex())
