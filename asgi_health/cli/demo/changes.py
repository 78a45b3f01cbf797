"""What has changed in the shop: its faults, the transitions of its checks and probes, and its alerts, in order."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from threading import Lock
from typing import Any

from asgi_health import CheckTransition, Status, Transition
from asgi_health.formats.answer import WORDS
from asgi_health.formats.health_json import timestamp

LIMIT = 100
"""Changes kept; of more, the oldest are dropped."""


@dataclass(frozen=True, slots=True)
class _Change:
    number: int
    at: float
    text: str
    status: str | None


class Changes:
    """Keeps the last changes.

    The faults come from the event loop, the transitions from the thread of the subscriber, and the alerts from that of
    their receiver.
    """

    def __init__(self) -> None:
        # A page that stays open while the demo starts again sees higher numbers: they begin with the present time.
        self._numbers: Iterator[int] = count(time.time_ns() // 1_000_000)
        self._kept: deque[_Change] = deque(maxlen=LIMIT)
        self._lock = Lock()

    def add_fault(self, message: str) -> None:
        """Add the begin or the end of a fault, now."""
        self._add(time.monotonic(), message, None)

    def add_transition(self, transition: Transition) -> None:
        """Add a transition. A subscriber of the Health."""
        new = _word(transition.new)
        if isinstance(transition, CheckTransition):
            reason = transition.result.message if transition.result else ""
            subject = f"check {transition.name}"
        else:
            reason = ": ".join(filter(None, (transition.cause, ", ".join(transition.checks))))
            subject = transition.probe.value
        text = f"{subject}: {_word(transition.old)} → {new}"
        self._add(transition.at, f"{text} ({reason})" if reason else text, new)

    def add_alert(self, title: str, status: str) -> None:
        """Add an alert, which has arrived now."""
        self._add(time.monotonic(), f"alert arrived at the receiver: {title}", status)

    def shown(self) -> list[dict[str, Any]]:
        """Return the changes as JSON, the oldest first."""
        with self._lock:
            kept = list(self._kept)
        # Transitions have monotonic times. The present wall clock dates them, as it may have been set meanwhile.
        epoch = time.time() - time.monotonic()
        return [
            {"number": each.number, "time": timestamp(each.at + epoch), "text": each.text, "status": each.status}
            for each in kept
        ]

    def _add(self, at: float, text: str, status: str | None) -> None:
        with self._lock:
            self._kept.append(_Change(next(self._numbers), at, text, status))


def _word(status: Status | None) -> str:
    return "none" if status is None else WORDS[status]
