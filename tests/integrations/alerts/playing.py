"""Plays changes to Incidents in virtual time, as the thread that observes an app does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from hypothesis import strategies as st

from asgi_health import Status
from asgi_health.integrations.alerts.incidents import Entry, Incidents, Limits, News, Problem

HEALTHY, WARN, FAIL = Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY


@dataclass(frozen=True)
class Change:
    """The status of a subject changes, `after` seconds after the change before."""

    after: float
    subject: str
    status: Status


def most_news(limits: Limits, seconds: float) -> float:
    """Return a bound for the number of news, reminders included, in any period of `seconds`."""
    gaps_that_grow, gap = 2, limits.wait
    while gap < limits.max_gap:
        gap *= 2
        gaps_that_grow += 1
    return gaps_that_grow + seconds / max(limits.wait, limits.max_gap) + seconds / limits.repeat + 1


class Player:
    """Incidents, the present statuses, and all news so far as (moment, news)."""

    def __init__(self, limits: Limits | None = None, *, looks: Sequence[float] = ()) -> None:
        self.limits = limits or Limits()
        self.incidents = Incidents(self.limits)
        self.now = 1000.0
        self.muted: set[str] = set()
        self.statuses: dict[str, tuple[Status, float]] = {}
        self.news: list[tuple[float, News]] = []
        self._looks = sorted(looks)
        """Moments at which it looks although nothing is due."""

    def change(self, *changes: Change) -> "Player":
        """Play the changes one after the other."""
        for each in changes:
            self.wait(each.after)
            self.statuses[each.subject] = (each.status, self.now)
            self._look()
        return self

    def turn(self, status: Status, *subjects: str) -> "Player":
        """Give the subjects a status at the present moment."""
        for subject in subjects:
            self.statuses[subject] = (status, self.now)
        self._look()
        return self

    def wait(self, seconds: float) -> "Player":
        """Let time pass: it looks whenever something is due, and at the moments of `looks`."""
        end = self.now + seconds
        while (due := self._next()) <= end:
            self.now = max(self.now, due)
            self._look()
        self.now = end
        return self

    def _next(self) -> float:
        while self._looks and self._looks[0] < self.now:
            self._looks.pop(0)
        return min(self.incidents.next_news, self._looks.pop(0) if self._looks else inf)

    def _look(self) -> None:
        problems = {
            subject: None if status is HEALTHY else Problem(status, "check", f"{subject} is bad", since)
            for subject, (status, since) in self.statuses.items()
        }
        self.incidents.observe(self.now, problems, muted=self.muted)
        self.take()

    def take(self, *, last: bool = False) -> None:
        """Take what is news now."""
        news = self.incidents.news(self.now, last=last)
        if news is not None:
            self.news.append((self.now, news))

    @property
    def words(self) -> list[str]:
        """One short text for each news: ``1002 open a, open b``."""
        return [f"{moment - 1000:g} {', '.join(words_of(news.entries))}" for moment, news in self.news]

    def entries(self, subject: str) -> list[tuple[float, Entry]]:
        """All entries about a subject, with their moments."""
        return [(moment, each) for moment, news in self.news for each in news.entries if each.subject == subject]


def words_of(entries: Iterable[Entry]) -> list[str]:
    """Return one short text for each entry; one that says nothing new is in brackets."""
    texts = [f"{each.state} {each.subject}" for each in entries]
    return [text if each.is_new else f"({text})" for each, text in zip(entries, texts, strict=True)]


DURATIONS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 1.9, 2.0, 2.1, 5.0, 30.0, 59.0, 61.0, 299.0, 301.0, 599.0, 700.0])
CHANGES = st.lists(
    st.builds(Change, DURATIONS, st.sampled_from(["a", "b", "c"]), st.sampled_from([HEALTHY, WARN, FAIL])), max_size=60
)
LIMITS = st.builds(
    Limits,
    wait=st.sampled_from([0.05, 2.0, 30.0, 100.0]),
    repeat=st.sampled_from([100.0, 600.0, inf]),
    flap_changes=st.sampled_from([4, 6]),
)
