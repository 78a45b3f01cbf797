"""What the page shows of the app in addition to the report of its checks."""

from dataclasses import dataclass

from ...core.report import ProbeSummary
from ...core.status import Probe


@dataclass(frozen=True, slots=True)
class LastStall:
    """The last stall of the event loop whose code was seen.

    Attributes:
        at: When it was seen (monotonic seconds).
        culprit: The function that most likely blocked, with its file and line.
    """

    at: float
    culprit: str


@dataclass(frozen=True, slots=True)
class LiveSource:
    """Where the page finds what changes after it.

    Attributes:
        path: Path of the events.
        event_id: Id of the state that the page shows.
        pages: The paths at which a page may be. The script finds by them what a proxy has put in front of all paths.
    """

    path: str
    event_id: str
    pages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """A section of its own that a program of this package adds to the page.

    Attributes:
        html: The section.
        style: Its style sheet, which follows that of the page.
        script: Its script, which follows that of the page: a block, so that its names are its own.
    """

    html: str
    style: str
    script: str


@dataclass(frozen=True, slots=True)
class AppFacts:
    """What the page shows of the app in addition to the report of its checks.

    Attributes:
        probes: The status of each of the four probes.
        loop_lag: By how many seconds the event loop is late; None while nothing measures it.
        last_stall: The last stall of the event loop whose code was seen; None for none.
        signal_at: When the server gets the SIGTERM that a drain delays (monotonic seconds); None for none.
    """

    probes: tuple[ProbeSummary, ...] = ()
    loop_lag: float | None = None
    last_stall: LastStall | None = None
    signal_at: float | None = None

    def of(self, probe: Probe) -> ProbeSummary | None:
        """Return the summary of `probe`, None where there is none."""
        return next((each for each in self.probes if each.probe is probe), None)
