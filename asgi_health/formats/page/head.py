"""The part of the page about the app: the verdict, the four probes, the event loop, the last changes."""

from ...core.past import ProbeFlip
from ...core.report import ProbeSummary, Report
from ...core.status import Probe, Status
from .charts import PARTS, day_chart, percent
from .escape import isolated, message
from .facts import AppFacts, LastStall
from .moments import Clock, duration
from .tones import TONES, Tone, favicon, icon
from .verdict import verdict
from .workers import workers_panel

MAX_CHANGES = 12
"""Changes of the app that are shown."""

_PROBES = {
    Probe.LIVENESS: ("Live", "Where it fails, the platform restarts the process"),
    Probe.READINESS: ("Ready", "Where it fails, the balancer sends no traffic"),
    Probe.STARTUP: ("Started", "While it fails, the platform waits"),
    Probe.HEALTH: ("All checks", "Where it fails, monitoring raises an alarm"),
}

_CAUSES = {
    "starting": "the app starts",
    "started": "the app has started",
    "stale": "no new result",
    "stalled": "the event loop is blocked",
    "draining": "the app drains",
    "maintenance": "maintenance",
    "stopped": "the checks have ended",
    "worker": "because of another worker of the host",
}


def head_fragment(report: Report, facts: AppFacts, *, wall: float) -> str:
    """Return what the page says about the app, as elements with the ids ``head``, ``counts`` and ``changes``.

    Args:
        report: The report of all checks with its own history; those of the checks are not shown here.
        facts: The probes and the event loop.
        wall: The moment of the report (seconds since the epoch).
    """
    return head(report, facts, wall=wall) + counts(report) + changes(facts, Clock(report.now, wall))


def head(report: Report, facts: AppFacts, *, wall: float) -> str:
    """Return the verdict, the probes and the event loop as the element ``head``."""
    clock, found = Clock(report.now, wall), verdict(report, facts, Clock(report.now, wall))
    since = "" if found.since is None else f' <span class="when">{clock.since(found.since)}</span>'
    because = f": {found.because}" if found.because else ""
    others = f' <span class="others">{", ".join(found.others)}.</span>' if found.others else ""
    probes = "".join(_probe(each, clock) for each in facts.probes)
    return (
        f'<div id="head" data-title="{found.title}"'
        f' data-icon="{favicon(found.tone)}">'
        f'<p class="verdict {found.tone}" id="verdict">{icon(found.tone)}<span><strong>{found.title}</strong>{since}'
        f'<span class="because">{because}.{others}</span></span></p>'
        f'<ul class="probes" role="list">{probes}</ul>{_loop(report, facts, clock)}{workers_panel(report, clock)}</div>'
    )


def _probe(summary: ProbeSummary, clock: Clock) -> str:
    name, meaning = _PROBES[summary.probe]
    tone = TONES[summary.status]
    code = "503" if summary.status is Status.UNHEALTHY else "200"
    past = summary.history
    since = "" if summary.since is None else f'<span class="soft">for {clock.elapsed(summary.since)}</span>'
    return (
        f'<li class="probe {tone}"><span class="name" title="{meaning}">{name}</span> '
        f'<span class="state">{icon(tone)}<b>{tone}</b> <span class="soft number">{code}</span></span> {since} '
        f'<span class="up"><span class="sr">Up in the last day: </span>{day_chart(past.day_in_parts(PARTS))}'
        f'<span class="number">{percent(past.day)}</span></span></li>'
    )


def _loop(report: Report, facts: AppFacts, clock: Clock) -> str:
    """Return how the event loop does; empty where nothing measures it and nothing is known."""
    parts: list[str] = []
    last, stall = facts.last_stall, report.stall
    if stall is not None:
        by = f" by {_code(last)}" if last is not None and last.at >= report.now - stall.seconds else ""
        parts.append(f"blocked for {duration(stall.seconds)} now{by}")
    elif facts.loop_lag is not None:
        parts.append("on time" if facts.loop_lag < 0.1 else f"{duration(facts.loop_lag)} late")
    stalls = report.stalls
    if stalls.count:
        times = "once" if stalls.count == 1 else f"{stalls.count:,} times"
        parts.append(f"blocked {times} since the start, for {duration(stalls.longest)} at most")
    if last is not None and stalls.count:
        parts.append(f"last by {_code(last)} at {clock.time(last.at)}")
    if not parts:
        return ""
    return f'<p class="loop"><span class="label">Event loop</span> {", ".join(parts)}</p>'


def _code(stall: LastStall) -> str:
    return f"<code>{message(stall.culprit)}</code>"


def counts(report: Report) -> str:
    """Return how many checks have which status, as the element ``counts``; each is a link that filters."""
    numbers: dict[Tone, int] = {
        tone: sum(each.status is status for each in report.checks) for status, tone in TONES.items()
    }
    links = "".join(
        f'<a class="{word}" href="?format=html&amp;status={word}#checks">{icon(word)}<b>{number:,}</b> {word}</a> '
        for word, number in reversed([*numbers.items()])
        if number
    )
    return f'<p id="counts" class="counts">{links}</p>'


def changes(facts: AppFacts, clock: Clock) -> str:
    """Return the last changes of the probes, the newest first, as the element ``changes``."""
    flips = [
        (flip, each.probe) for each in facts.probes if each.probe is not Probe.HEALTH for flip in each.history.flips
    ]
    flips.sort(key=lambda each: -each[0].at)
    items = "".join(_change(flip, probe, clock) for flip, probe in flips[:MAX_CHANGES])
    shown = f'<ol role="list">{items}</ol>' if items else '<p class="soft">Nothing has changed since the start.</p>'
    title = '<h2 id="changes-title">Last changes</h2>'
    return f'<section id="changes" class="changes" aria-labelledby="changes-title">{title}{shown}</section>'


def _change(flip: ProbeFlip, probe: Probe, clock: Clock) -> str:
    name, tone = _PROBES[probe][0], TONES[flip.new]
    # Where only the reason has changed: an app whose check has failed begins to drain.
    old = "" if flip.old is None else "still " if flip.old is flip.new else f"{TONES[flip.old]} → "
    names = ", ".join(f"<b>{isolated(each)}</b>" for each in flip.checks) + (
        f" and {flip.more} more" if flip.more else ""
    )
    cause = _CAUSES.get(flip.cause, "")
    because = ": ".join(each for each in (cause, names) if each)
    return (
        f'<li class="{tone}">{clock.time(flip.at)} {icon(tone)}<span><i class="name">{name}</i> {old}<b>{tone}</b>'
        + (f'<i class="soft">, {because}</i>' if because else "")
        + "</span></li>"
    )
