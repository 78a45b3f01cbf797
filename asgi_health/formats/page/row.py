"""A check as a row of the page, which opens to everything that is known about it."""

from collections.abc import Sequence
from math import inf
from statistics import median

from ...core.past import CheckPast, PastResult
from ...core.report import CheckReport
from ...core.result import NAME_LIMIT
from ...core.status import Status
from .charts import PARTS, day_chart, percent, runs_chart
from .escape import isolated, message
from .moments import Clock, duration, setting
from .tones import TONES, Tone, icon
from .view import group_of, rank

MAX_CHANGES = 5
"""Changes of a check that are shown."""


def check_fragment(check: CheckReport, *, now: float, wall: float) -> str:
    """Return a check as the element with the id ``check-<name>``: a name has only characters that an id may have.

    Args:
        check: The check, with its history.
        now: The moment of its report (monotonic seconds).
        wall: The same moment (seconds since the epoch).
    """
    clock = Clock(now, wall)
    tone, word = _look(check, now)
    past = check.history
    results = past.results if past is not None else ()
    group = group_of(check)
    tags = "".join(f' <span class="tag">{each}</span>' for each in _tags(check, group, clock))
    output = f' <span class="output">{message(check.output)}</span>' if check.output else ""
    since = (
        f' <span class="soft">{clock.since(check.since)}</span>' if check.since is not None and tone != "pass" else ""
    )
    return (
        f'<li id="check-{check.name}" class="check {tone}" data-rank="{rank(check)}"'
        f' data-name="{check.name}"><details><summary>'
        f'<span class="state">{icon(tone)}<b>{word}</b></span> '
        f'<span class="what"><span class="name">{isolated(check.name)}</span>{tags}{output}{since}</span> '
        f"{_runs(results, check)}{_day(past)}</summary>{_facts(check, results, clock)}</details></li>"
    )


def _look(check: CheckReport, now: float) -> tuple[Tone, str]:
    if check.state.time is None:
        return "none", "waiting"
    if check.stale_at <= now:
        return TONES[check.status], "stale"
    return TONES[check.status], TONES[check.status]


def _tags(check: CheckReport, group: str, clock: Clock) -> list[str]:
    found = [isolated(group)] if group else []
    if not check.critical:
        found.append("optional")
    if check.run_by is not None:
        found.append(f"run by worker {check.run_by}")
    if check.maintenance is not None:
        found.append(f"maintenance until {clock.time(check.maintenance.until)}")
    state, config = check.state, check.check
    if check.status is not Status.UNHEALTHY and state.failures:
        found.append(f"{state.failures} of {config.failure_threshold} failures")
    return found


def _runs(results: Sequence[PastResult], check: CheckReport) -> str:
    last = check.state.duration
    shown = "–" if last is None else duration(last)
    return _graph(runs_chart(results), "took", shown)


def _day(past: CheckPast | None) -> str:
    if past is None:
        return ""
    return _graph(day_chart(past.day_in_parts(PARTS)), "up in the last day", percent(past.day))


def _graph(chart: str, meaning: str, number: str) -> str:
    return f' <span class="graph">{chart}<span class="number"><span class="sr">{meaning} </span>{number}</span></span>'


def _facts(check: CheckReport, results: Sequence[PastResult], clock: Clock) -> str:
    facts = [*_present(check, clock), *_past(check, results), *_observed(check), *_schedule(check)]
    shown = "".join(f"<div><dt>{name}</dt> <dd>{value}</dd></div>" for name, value in facts)
    return f'<div class="more"><dl>{shown}</dl>{_changes(check, clock)}</div>'


def _present(check: CheckReport, clock: Clock) -> list[tuple[str, str]]:
    state, config = check.state, check.check
    found: list[tuple[str, str]] = []
    if check.since is not None:
        found.append(("Since", f"{clock.time(check.since)}, {clock.elapsed(check.since)}"))
    if state.time is not None and state.duration is not None:
        found.append(("Last run", f"{clock.time(state.time)}, took {duration(state.duration)}"))
    if check.run_started is not None:
        found.append(("Runs now", clock.since(check.run_started)))
    elif check.next_start is not None:
        found.append(("Next run", clock.time(max(check.next_start, clock.now))))
    else:
        found.append(("Next run", "none is planned"))
    if check.status is Status.UNHEALTHY:
        streak = f"{state.passes} of {config.success_threshold} passes in a row"
        streak += f", after {state.failures} failure{'' if state.failures == 1 else 's'}" if state.failures else ""
    else:
        streak = f"{state.failures} of {config.failure_threshold} failures in a row"
    found.append(("Streak", streak))
    if check.maintenance is not None and check.maintenance.reason:
        found.append(("Maintenance", message(check.maintenance.reason)))
    effect = "fails its probes" if check.critical else "only warns: the check is not critical"
    found.append(("Its failure", effect))
    found.append(("Probes", ", ".join(each.value for each in config.probes)))
    return found


def _past(check: CheckReport, results: Sequence[PastResult]) -> list[tuple[str, str]]:
    if check.history is None or not results:
        return []
    durations = [each.duration for each in results]
    failed = sum(each.status is Status.UNHEALTHY for each in results)
    shown = f"{failed} of {len(results)} failed" if failed else f"all {len(results)} passed"
    took = f"{duration(min(durations))} to {duration(max(durations))}, median {duration(median(durations))}"
    uptime = f"{percent(check.history.hour)} in the last hour, {percent(check.history.day)} in the last day"
    return [("Last runs", f"{shown}, {took}"), ("Up", uptime)]


def _observed(check: CheckReport) -> list[tuple[str, str]]:
    if check.state.result is None:
        return []
    found: list[tuple[str, str]] = []
    for name, (value, unit) in check.state.result.data.items():
        shown = message(f"{value:,}" if isinstance(value, int) and abs(value) < 10**15 else f"{value}")
        found.append((message(name, NAME_LIMIT), shown + (f" {message(unit)}" if unit else "")))
    return found


def _schedule(check: CheckReport) -> list[tuple[str, str]]:
    config = check.check
    times = f"every {setting(config.interval)}, after a failure {setting(config.retry_interval)}"
    limits = f"timeout {setting(config.timeout)}" + (
        f", stale after {setting(config.stale_after)}" if check.stale_at < inf or check.state.time is None else ""
    )
    thresholds = f"fails after {config.failure_threshold}, passes after {config.success_threshold}"
    return [("Schedule", times), ("Limits", limits), ("Thresholds", thresholds)]


def _changes(check: CheckReport, clock: Clock) -> str:
    flips = () if check.history is None else check.history.last_flips(MAX_CHANGES)
    items = "".join(
        f'<li class="{TONES[flip.new]}">{clock.time(flip.at)} {icon(TONES[flip.new])}'
        f"<span>{'first result' if flip.old is None else TONES[flip.old]} → <b>{TONES[flip.new]}</b></span></li>"
        for flip in reversed(flips)
    )
    return f'<div class="changes"><h3>Last changes</h3><ol role="list">{items}</ol></div>' if items else ""
