"""What has happened in the shop: its faults, its alerts, and other answers than before, in order."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from threading import Lock

from asgi_health.formats.page.tones import Tone

LIMIT = 100
"""Changes kept; of more, the oldest are dropped."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that has happened.

    Attributes:
        number: Its number, above those of earlier changes.
        at: When it happened (monotonic seconds).
        text: What happened.
        tone: How it looks.
    """

    number: int
    at: float
    text: str
    tone: Tone


class Changes:
    """Keeps the last changes. They come from the event loop, from threads of the shop, and from that of its alerts."""

    def __init__(self) -> None:
        # A page that stays open while the demo starts again sees higher numbers: they begin with the present time.
        self._numbers: Iterator[int] = count(time.time_ns() // 1_000_000)
        self._kept: deque[Change] = deque(maxlen=LIMIT)
        self._last_code = 200
        self._lock = Lock()

    def add_fault(self, message: str) -> None:
        """Add the begin or the end of a fault, now."""
        with self._lock:
            self._add(message, "none")

    def add_alert(self, title: str, tone: Tone) -> None:
        """Add an alert, which has arrived now."""
        with self._lock:
            self._add(f"alert arrived at the receiver: {title}", tone)

    def add_answer(self, code: int) -> None:
        """Add an answer of the shop itself, if its status code is another one than before."""
        with self._lock:
            if code != self._last_code:
                self._add(f"/products: {self._last_code} → {code}", "pass" if code == 200 else "fail")
                self._last_code = code

    def kept(self) -> list[Change]:
        """Return the changes, the oldest first."""
        with self._lock:
            return list(self._kept)

    def _add(self, text: str, tone: Tone) -> None:
        self._kept.append(Change(next(self._numbers), time.monotonic(), text, tone))
