"""The targets of the report, and the limits that a run in CI must keep."""

from dataclasses import dataclass

from . import start
from .figures import Figure, Results


@dataclass(frozen=True)
class Bound:
    """The target and the limit of one figure."""

    promise: str
    measurement: str
    """The measurement that has the figure."""
    measure: str
    case: str
    contender: str
    target: float | None
    """What the report compares it with. None: the report does not judge it."""
    limit: float | None
    """What `--check` accepts, so far from the target that noise does not reach it. None: only a quiet machine or a full
    run gives the figure."""
    ratio: bool = True
    """Whether the ratio of the figure is compared, or its value."""

    def find(self, results: Results) -> Figure | None:
        return results.find(self.measure, self.case, self.contender)

    def value(self, figure: Figure) -> float:
        """Return the number that is compared. Raises ValueError for a figure that has none."""
        spread = figure.ratio if self.ratio else figure.value
        if spread is None:
            raise ValueError(f"{self.promise}: the figure has no ratio")
        return spread.median

    def keeps(self, value: float, than: float) -> bool:
        return round(value, 2) <= than  # as the report shows it


OURS = "asgi-health"
ALL_ON = "asgi-health, all on"
BOARD = "asgi-health, board"
FULL = "asgi-health+fastapi"
LISTENER = "the listener"

BOUNDS = (
    *(
        Bound(promise + how, measurement, measure, case, contender, target, limit)
        for promise, measurement, measure, case, target, limit in (
            ("an answer, × the cheapest app with the same duties", "anatomy", "duties", "an answer", 1.05, 1.4),
            (
                "a request for another page, × a middleware that looks at the path once",
                "anatomy",
                "duties",
                "a request for another page",
                1.1,
                1.4,
            ),
            (
                "processor time of the server per probe, × the constant app",
                "served",
                "processor, uvicorn",
                "16 kept",
                1.05,
                1.6,
            ),
        )
        for contender, how in ((OURS, ""), (ALL_ON, ", everything on"), (BOARD, ", with a board"))
    ),
    *(
        Bound(f"p99 {what}, × no checks", "tail", "p99", case, contender, 1.2, None)
        for what, case, contender in (
            ("while a dependency hangs", "1 check that hangs, 16 connections", OURS),
            ("among 1,000 checks", "1,000 checks at 10 s, 16 connections", OURS),
            ("of 256 connections among 1,000 checks", "1,000 checks at 10 s, 256 connections", OURS),
            ("while a scraper reads 1,000 checks", "1,000 checks at 10 s, scraped each second, 16 connections", OURS),
            (
                "while a scraper and ?explain read 1,000 checks, everything on",
                "1,000 checks at 10 s, scraped and explained each second, 16 connections",
                ALL_ON,
            ),
            (
                "while 50 clients watch the events of 1,000 checks, everything on",
                "1,000 checks at 10 s, watched by 50, 16 connections",
                ALL_ON,
            ),
            ("among 1,000 checks, with a board", "1,000 checks at 10 s, with a board, 16 connections", BOARD),
        )
    ),
    Bound(
        "longest wait at the listener while 40 connections pipeline, × uvicorn's own port",
        "attack",
        "attack",
        "40 pipeline",
        LISTENER,
        2,
        10,
    ),
    *(
        Bound(
            f"longest wait at the listener while {case}, ms",
            "attack",
            "attack",
            case,
            LISTENER,
            500,
            limit,
            ratio=False,
        )
        for case, limit in (
            ("40 pipeline", 1500),  # a probe gives up after 2000
            ("300 are silent", None),
            ("300 pipeline", None),
            ("300 are slow", None),
            ("300 do not read", None),
            ("40 pipeline, unix socket", None),
        )
    ),
    Bound("runs that 100,000 probes cause", "in-process", "load", "100,000 probes", OURS, 0, 0, ratio=False),
    *(
        Bound(
            f"processor time of a run among 1,000 checks at {interval}, × a bare asyncio loop",
            "watching",
            "run",
            f"1,000 checks at {interval}",
            OURS,
            target,
            limit,
        )
        for interval, target, limit in (("10 s", 1.0, None), ("1 s", 1.4, 5.0))
    ),
    *(
        Bound(
            f"memory blocks after 24 h, × after 1 h{how}",
            "watching",
            "simulated",
            "memory blocks",
            contender,
            1.02,
            1.2,
            ratio=False,
        )
        for contender, how in ((OURS, ""), (BOARD, ", with a board"))
    ),
    Bound(
        "scrape of 1,000 checks, processor time in ms",
        "scrape",
        "scrape",
        "1,000 checks, OpenMetrics",
        OURS,
        50,
        200,
        ratio=False,
    ),
    Bound("asgi-health probe, × python -c pass", "start", "start", "whole process", "asgi-health probe", 1.7, 4.0),
    Bound(
        "import of HealthMiddleware, × import of asyncio, anyio and orjson",
        "start",
        "import",
        "processor time",
        start.OURS,
        1.25,
        2.0,
    ),
    # Without a target: the report shows them, and `--check` finds what has grown out of proportion.
    Bound("bytes that an answer holds", "in-process", "allocated", "GET ready", OURS, None, 1500, ratio=False),
    Bound("wait while a dependency hangs, ms", "tail", "tail", "dependency hangs", FULL, None, 900, ratio=False),
    Bound(
        "runs that 50 probes at once cause",
        "tail",
        "runs",
        "50 probes as the cache expires",
        FULL,
        None,
        5,
        ratio=False,
    ),
    Bound(
        "one run among 1,000 checks, × among 1",
        "watching",
        "a result that changes a status",
        "among 1,000",
        OURS,
        None,
        4.0,
    ),
    Bound(
        "longest step of a scrape of 1,000 checks, ms",
        "scrape",
        "step",
        "1,000 checks, OpenMetrics",
        OURS,
        None,
        20,
        ratio=False,
    ),
    Bound("masking the worst text, × half of it", "redaction", "redaction grows", "worst text", OURS, None, 3.2),
)


def broken(results: Results, measurements: list[str]) -> list[str]:
    """Return the limits that `--check` finds exceeded, or not measured although their measurement ran."""
    objections = []
    for bound in BOUNDS:
        if bound.limit is None or bound.measurement not in measurements:
            continue
        figure = bound.find(results)
        if figure is None:
            objections.append(f"{bound.promise}: not measured")
            continue
        value = bound.value(figure)
        if not bound.keeps(value, bound.limit):
            objections.append(f"{bound.promise}: {value:.3g}, must be <= {bound.limit:g}")
    return objections
