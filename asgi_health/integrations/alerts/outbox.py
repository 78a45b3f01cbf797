"""What one receiver has not received yet. Sans-IO: `now` is always an argument (monotonic seconds).

Not a queue: news about one subject replaces older news about it. A receiver that fails for an hour then gets one
message with the present state, and not the sixty that were due meanwhile.
"""

from dataclasses import dataclass, replace
from math import inf
from uuid import uuid4

from .incidents import Entry, News, worst_first

MAX_AGE = 3600.0
"""Seconds after which the end of an incident is no news for a receiver that never received its beginning."""

MAX_SUBJECTS = 2000
"""Subjects whose news waits. A check whose name changes again and again must not fill the memory."""

FIRST_PAUSE, MAX_PAUSE = 1.0, 60.0
"""Seconds from a failed try to the next one; they double with each failure."""

MAX_RETRY_AFTER = 600.0
"""Seconds for which a receiver may ask not to be tried again, at most."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is sent in one message.

    Attributes:
        id: The identity of the message: the same for the same entries.
        entries: What it is about, the worst first.
        open: Subjects of all open incidents, the worst first.
    """

    id: str
    entries: tuple[Entry, ...]
    open: tuple[str, ...]


class Outbox:
    """The news that waits for one receiver.

    Attributes:
        merged: Number of news that became part of a message with later ones, because they had to wait.
        dropped: Number of incidents whose news was dropped.
        failures: Number of failed tries since the last one that succeeded.
        next_try: When the receiver may be tried again (monotonic seconds).
    """

    def __init__(self) -> None:
        self.merged = 0
        self.dropped = 0
        self.failures = 0
        self.next_try = -inf
        self._waiting: dict[str, Entry] = {}
        self._open: tuple[str, ...] = ()
        self._received: set[str] = set()
        self._batch: Batch | None = None
        self._news_waiting = 0

    @property
    def waiting(self) -> int:
        """Number of incidents whose news waits or is being sent."""
        return len(self._waiting)

    def put(self, news: News) -> None:
        """Add `news`."""
        self._news_waiting += 1
        self._open = news.open
        for entry in news.entries:
            older = self._waiting.pop(entry.subject, None)  # the order is that of the last change
            if older is not None and older.is_new and not entry.is_new:
                entry = replace(entry, is_new=True)  # noqa: PLW2901  a reminder of what the receiver does not know yet
            self._waiting[entry.subject] = entry
        while len(self._waiting) > MAX_SUBJECTS:
            over = next((name for name, each in self._waiting.items() if each.state == "recovered"), None)
            del self._waiting[next(iter(self._waiting)) if over is None else over]
            self.dropped += 1

    def take(self, now: float) -> Batch | None:
        """Return everything that waits, to be sent as one message; None for nothing. It waits until `succeeded`."""
        for subject, entry in list(self._waiting.items()):
            ended = entry.ended
            if ended is not None and subject not in self._received and now - ended > MAX_AGE:
                del self._waiting[subject]
                self.dropped += 1
        if not self._waiting:
            self._news_waiting = 0
            return None
        entries = worst_first(self._waiting.values())
        same = self._batch is not None and self._batch.entries == entries
        self._batch = Batch(self._batch.id if same and self._batch else uuid4().hex, entries, self._open)
        self.merged += max(0, self._news_waiting - 1)
        self._news_waiting = min(self._news_waiting, 1)
        return self._batch

    def failed(self, now: float, random: float, retry_after: float | None) -> None:
        """The receiver has not accepted what was taken. `random` in [0, 1) varies the pause until the next try."""
        self.failures += 1
        pause = min(MAX_PAUSE, FIRST_PAUSE * 2 ** min(self.failures - 1, 60)) * (0.75 + random / 2)
        self.next_try = now + max(pause, min(retry_after or 0.0, MAX_RETRY_AFTER))

    def succeeded(self, batch: Batch) -> None:
        """The receiver has received `batch`. What was added meanwhile waits on."""
        self.failures = 0
        self.next_try = -inf
        for entry in batch.entries:
            if self._waiting.get(entry.subject) == entry:
                del self._waiting[entry.subject]
            if entry.state == "recovered":
                self._received.discard(entry.subject)
            else:
                self._received.add(entry.subject)
        self._news_waiting = max(0, self._news_waiting - 1)

    def rejected(self, batch: Batch) -> None:
        """The receiver refuses `batch` for good. What was added meanwhile waits on."""
        for entry in batch.entries:
            if self._waiting.get(entry.subject) == entry:
                del self._waiting[entry.subject]
                self.dropped += 1
        self._news_waiting = max(0, self._news_waiting - 1)

    def drop(self) -> int:
        """Drop everything that waits, and return the number of incidents: no news follows about this lifespan."""
        count = len(self._waiting)
        self.dropped += count
        self._waiting.clear()
        self._received.clear()
        self._open = ()
        self._news_waiting = 0
        self._batch = None
        self.next_try = -inf
        return count
