"""The verdict: one sentence that says what is wrong, since when and why, so that a person can act on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ...core.failure_category import Category, categorize
from ...core.lifecycle import Phase
from ...core.maintenance import Maintenance
from ...core.report import CheckReport, Report
from ...core.status import Probe, Status
from ...core.workers import Worker, WorkerProbe
from ..workers import because as because_of
from .escape import isolated, message
from .facts import AppFacts
from .moments import Clock, elapsed
from .tones import Tone

REASON_LIMIT = 160
"""Characters of a message in the verdict. The row of the check shows all of it."""

MAX_WORKERS = 2
"""Workers whose reasons the verdict gives. The panel of the workers has more."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on an app.

    Attributes:
        tone: How it looks.
        title: What is wrong, in a few words; plain text.
        since: Since when (monotonic seconds); None where that is not known.
        because: Why, as HTML; empty where nothing more is known.
        others: What else is wrong, as plain text.
    """

    tone: Tone
    title: str
    since: float | None
    because: str
    others: tuple[str, ...] = ()


def verdict(report: Report, facts: AppFacts, clock: Clock) -> Verdict:
    """Return the verdict on the app.

    Args:
        report: The report of all checks.
        facts: The probes and the event loop. Without them the report alone decides.
        clock: The moment of the report.
    """
    checks = {each.name: each for each in report.checks}
    live, ready, startup = map(facts.of, (Probe.LIVENESS, Probe.READINESS, Probe.STARTUP))
    if report.phase is Phase.STOPPED:
        return Verdict("none", "Stopped", report.since, "the checks have ended")
    if report.reason == "stalled" or (ready is not None and ready.reason == "stalled"):
        return _blocked(report, facts)
    if live is not None and live.status is Status.UNHEALTHY:
        return _failed("Not live", live.since, live.culprits, checks, report, probe=Probe.LIVENESS)
    if report.phase is Phase.DRAINING:
        end = "is about to stop" if facts.signal_at is None else f"stops at {clock.time(facts.signal_at)}"
        others = _others(report.checks, described=())
        return Verdict("warn", "Draining", report.since, f"the app takes no new traffic and {end}", others)
    if startup is not None and startup.status is Status.UNHEALTHY:
        return _starting(report, startup.culprits, checks)
    if report.maintenance is not None:
        return _maintained(report, report.maintenance, clock)
    if ready is not None and ready.reason == "starting":
        return _starting(report, ready.culprits, checks)
    if ready is not None and ready.status is Status.UNHEALTHY:
        return _failed("Not ready", ready.since, ready.culprits, checks, report, probe=Probe.READINESS)
    since = None if report.history is None or report.history.status is not report.status else report.history.since
    if report.status is Status.UNHEALTHY:
        return _failed("Unhealthy", since, report.culprits, checks, report)
    if report.status is Status.DEGRADED:
        title = "Ready, with a problem" if len(report.culprits) < 2 else f"Ready, with {len(report.culprits)} problems"
        return _failed(title, since, report.culprits, checks, report, "warn")
    return Verdict("pass", "Healthy", since, _all_pass(len(report.checks)))


def _blocked(report: Report, facts: AppFacts) -> Verdict:
    stall, last = report.stall, facts.last_stall
    since = None if stall is None else report.now - stall.seconds
    because = "no request is answered meanwhile"
    if last is not None and (since is None or last.at >= since):
        because = f"by {message(last.culprit)}; {because}"
    return Verdict("fail", "The event loop is blocked", since, because)


def _maintained(report: Report, maintenance: Maintenance, clock: Clock) -> Verdict:
    reason = f"{message(maintenance.reason, REASON_LIMIT)}; " if maintenance.reason else ""
    because = f"{reason}the app takes no traffic until {clock.time(maintenance.until)}"
    return Verdict("warn", "In maintenance", maintenance.since, because, _others(report.checks, described=()))


def _starting(report: Report, names: Sequence[str], checks: dict[str, CheckReport]) -> Verdict:
    if report.reason == "check" or any(checks[name].state.time is not None for name in names if name in checks):
        return _failed("Not started", report.since, names, checks, report)
    if names:
        because = f"the first result of {_names(names)} has not come yet"
    elif report.host is not None and len(report.host.workers) > 1:
        behind = report.host.behind(Probe.STARTUP, Status.UNHEALTHY)
        because = f"{len(behind)} of {len(report.host.workers)} workers have not started"
    else:
        because = "the app's own startup is not complete"
    return Verdict("warn", "Starting", report.since, because)


def _failed(
    title: str,
    since: float | None,
    names: Sequence[str],
    checks: dict[str, CheckReport],
    report: Report,
    tone: Tone = "fail",
    probe: Probe = Probe.HEALTH,
) -> Verdict:
    found = [checks[name] for name in names if name in checks]
    # First what failed by a result of its own, then the oldest: the others may follow from it.
    found.sort(key=lambda each: (each.state.time is None, each.stale_at <= report.now, each.since or 0.0))
    because = why(found[0], report.now) if found else ""
    if len(found) == 2:
        because += f"; {_name(found[1].name)} {'fails' if tone == 'fail' else 'has a problem'} too"
    elif found[1:]:
        because += f"; {_names([each.name for each in found[1:]])} {'fail' if tone == 'fail' else 'have problems'} too"
    others = _others(report.checks, described=found)
    if report.host is not None:
        workers = report.host.behind(probe, Status.UNHEALTHY if tone == "fail" else Status.DEGRADED)
        if not because:
            because = _workers(workers)
        if any(worker.key != report.host.own for worker, _ in workers):
            state = "is" if len(workers) == 1 else "are"
            word = {"Not live": "not live", "Not ready": "not ready"}.get(title, "not healthy")
            others = (f"{len(workers)} of {len(report.host.workers)} workers {state} {word}", *others)
    return Verdict(tone, title, since, because, others)


def _workers(workers: Sequence[tuple[Worker, WorkerProbe]]) -> str:
    """Return why the first of these workers are not healthy; empty for none."""
    shown = [f"worker {worker.pid}: {escape(because_of(found))}" for worker, found in workers[:MAX_WORKERS]]
    return "; ".join(shown)


def _others(checks: Sequence[CheckReport], described: Sequence[CheckReport]) -> tuple[str, ...]:
    """Return how many other checks are not healthy."""
    seen = {each.name for each in described}
    rest = [each for each in checks if each.status is not Status.HEALTHY and each.name not in seen]
    optional = sum(each.status is Status.UNHEALTHY and not each.critical for each in rest)
    critical = sum(each.status is Status.UNHEALTHY and each.critical for each in rest)
    warn = sum(each.status is Status.DEGRADED for each in rest)
    found = (
        _count(critical, "other check is down", "other checks are down"),
        _count(optional, "optional check is down", "optional checks are down"),
        _count(warn, "check warns", "checks warn"),
    )
    return tuple(each for each in found if each)


_PHRASES: dict[Category, str] = {
    "timeout": "{name} does not answer in time",
    "refused": "{name} cannot be reached",
    "dns": "the host name of {name} cannot be resolved",
    "tls": "{name} has no valid TLS connection",
    "auth": "{name} refuses the credentials",
}


def why(check: CheckReport, now: float) -> str:
    """Return in a few words what is wrong with a check, as HTML: ``database refuses connections``."""
    name, state = _name(check.name), check.state
    if state.time is None:
        return f"{name} has had no result yet"
    if check.stale_at <= now:
        return f"{name} has had no new result for {elapsed(now - state.time)}"
    text = "" if state.result is None else state.result.message
    if state.result is not None and state.result.status is Status.UNHEALTHY:
        category = categorize(text, None)
        if category == "refused" and "refused" in text.lower():
            return f"{name} refuses connections"
        if category in _PHRASES:
            return _PHRASES[category].format(name=name)
    return f"{name}: {message(check.output or text, REASON_LIMIT)}"


def _names(names: Sequence[str]) -> str:
    shown = [_name(name) for name in (names if len(names) < 4 else names[:2])]
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _name(name: str) -> str:
    return f"<b>{isolated(name)}</b>"


def _all_pass(count: int) -> str:
    return {0: "there are no checks", 1: "the one check passes"}.get(count, f"all {count:,} checks pass")


def _count(number: int, one: str, many: str) -> str:
    """Return a number with its noun; empty for 0."""
    return f"{number:,}\N{NO-BREAK SPACE}{one if number == 1 else many}" if number else ""
