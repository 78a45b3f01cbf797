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
    drain = figures.drain
    signal_at = None if drain is None else drain.passes_signal_on_at
    probes = tuple(engine.summarize(probe, now) for probe in Probe)
    return AppFacts(probes, figures.loop_lag(present), last, signal_at)
