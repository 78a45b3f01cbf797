"""Collects what the status page shows of an app in addition to the report of its checks."""

from time import monotonic

from ..core.engine import Engine
from ..core.status import Probe
from ..formats.page import AppFacts, LastStall
from ..runtime.scheduler.runner import runner_of


def app_facts(engine: Engine, now: float) -> AppFacts:
    """Return what the page shows of the app of `engine` at `now`. Takes no lock: any thread may call it."""
    figures = runner_of(engine).figures
    present, seen = monotonic(), figures.seen_stall
    # The clock of the checks may be another one than that of the loop: a test replaces it.
    last = None if seen is None else LastStall(now - (present - seen.at), seen.culprit)
    return AppFacts(tuple(engine.summarize(probe, now) for probe in Probe), figures.loop_lag(present), last)
