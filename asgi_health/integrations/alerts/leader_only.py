"""Of the workers of a host one sends: the others hold their news until that one has surely sent the same."""

from collections import deque
from math import inf

from ...core.workers import Host
from .incidents import News

MARGIN = 2.0
"""Seconds by which a worker may notice something later than another one, through the board."""

MAX_HELD = 100
"""News that is held, at most. There is no more than one in a minute as a rule."""


class LeaderOnly:
    """Pass news on in the worker that leads, and hold it in the others.

    A worker that follows has the same incidents. So one that becomes the leader goes on where the former one has
    ended: it sends what that one cannot have sent, because it had ended by then.
    """

    def __init__(self) -> None:
        self._held: deque[tuple[float, News]] = deque(maxlen=MAX_HELD)
        self._leader_seen = -inf

    @property
    def holds(self) -> bool:
        """Whether there is news that is held."""
        return bool(self._held)

    def pass_on(self, news: News | None, now: float, host: Host | None, *, leads: bool) -> list[News]:
        """Return what is to be sent.

        Args:
            news: What is new; None for nothing.
            now: The present moment (seconds of `time.monotonic`).
            host: The workers of the host; None where they are not known.
            leads: Whether this worker leads.
        """
        leader = None if leads or host is None else host.leading_worker
        if leader is not None:
            self._leader_seen = max(self._leader_seen, leader.updated)
        if news is not None:
            self._held.append((now, news))
        while self._held and self._held[0][0] + MARGIN <= self._leader_seen:
            self._held.popleft()
        if not leads:
            return []
        found = [each for _, each in self._held]
        self._held.clear()
        return found
