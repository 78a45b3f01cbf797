"""Figures as Markdown."""

from collections.abc import Iterable
from typing import Any

from . import machine
from .bounds import BOUNDS
from .contenders import CONTENDERS, LOOPS
from .figures import Figure, Results
from .stats import Spread

TITLES = {each.name: each.title for each in (*CONTENDERS, LOOPS)}

HEADINGS = {  # of measures; what follows a comma in the name of a measure stays as it is
    "answer": "One answer, in process",
    "allocated": "Bytes that one answer allocates at its peak",
    "anatomy": "The parts of it: constant messages, and one duty more in each row",
    "pass-through": "Added to a request for another page, in process",
    "load": "Runs of the check that 100,000 probes cause",
    "duties": "Against the cheapest app with the same duties, in process",
    "processor": "Processor time of the server per probe",
    "run": "Processor time of one run of a check, against one in a bare asyncio loop that keeps no result",
    "served": "Probes per second over loopback",
    "latency": "Latency over loopback",
    "heartbeat": "Probes per second with heartbeat and watchdog, against the same app without",
    "tail": "The longest wait of a probe, while",
    "runs": "Calls of the dependency meanwhile",
    "checks": "p99 by the number of checks, 16 connections",
    "p99": "p99 of ready, with and without checks",
    "attack": "The longest wait of an honest probe, which gives up after 2 s, while",
    "watching": "The cost of checks while no probe comes",
    "per run": "Processor time of one run of a check",
    "growth": "How it grows: cost ~ checks to the power of",
    "a result that changes a status": "One run whose result changes a status, with all answers prepared again",
    "a result that changes nothing": "One run whose result changes nothing",
    "simulated": "Memory in a simulated clock",
    "redaction": "Masking of credentials in a text of such parts",
    "redaction grows": "How masking grows: the text that grows most, against half of it",
    "scrape": "Processor time of one scrape of the metrics, in process",
    "step": "The longest time for which another task waits during a scrape",
    "import": "Import, as a whole process",
    "start": "Start of a probe command, as a whole process",
}

CAVEATS = (
    "Client and server share one machine. Compare the ratios; an absolute time says more about the machine.",
    "Medians; in brackets the middle half (first to third quartile). Where two of those overlap, nothing is proven.",
    "In process: the fastest tenth of many batches, plain asyncio, no socket, a `send` that discards the messages. "
    "A server adds tens of microseconds to each answer, the same for every contender.",
    "The limit has neither paths nor methods and always sends the same two dicts, with the bytes of asgi-health's "
    "answer. No real app can do that. The answers of the others are shorter or longer.",
    "wrk's latency begins when the request is written: with a new connection per probe the connect is in the "
    "throughput and not in the latency. It keeps all connections busy: these are the latencies of a saturated server.",
    "Bytes are what tracemalloc counts; Python's free lists hide some.",
    "Processor time is judged, throughput is shown: on a shared machine throughput varies by half with the neighbours.",
    "The peers answer more than a status, some with the result of each check, and some of them do it well. They are "
    "set up as their documentation recommends, with their cache or background option on where they have one, and with "
    "the same timeout.",
)


def number(value: float) -> str:
    """Return a number with three figures and separated thousands."""
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 0.1:
        return f"{value:.2f}"
    return f"{value:.3g}"


def spread(value: Spread, unit: str = "") -> str:
    """Return a median with its spread."""
    text = f"{number(value.median)}{unit}"
    return text if value.n == 1 else f"{text} ({number(value.low)}–{number(value.high)})"


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table, its first column aligned left and the others right."""
    headings = list(headings)
    lines = [f"| {' | '.join(headings)} |", f"|---|{'---:|' * (len(headings) - 1)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def title(contender: str) -> str:
    return TITLES.get(contender, contender)


def section(measure: str, figures: list[Figure]) -> str:
    """Return the tables of one measure: a row per contender, a column per case and one for its ratio."""
    head, _, rest = measure.partition(", ")
    parts = [f"## {HEADINGS.get(head, head)}{': ' if rest else ''}{rest}"]
    units = dict.fromkeys(figure.unit for figure in figures)
    for unit in units:
        chosen = [figure for figure in figures if figure.unit == unit]
        cases = list(dict.fromkeys(figure.case for figure in chosen))
        names = list(dict.fromkeys(figure.contender for figure in chosen))
        cells = {(figure.contender, figure.case): figure for figure in chosen}
        compared = {case: next((f.against for f in chosen if f.case == case and f.against), "") for case in cases}
        headings = ["", *(f"{case}, {unit}" for case in cases)]
        if against := " / ".join(dict.fromkeys(compared[case] for case in cases if compared[case])):
            parts.append(f"Behind ×: against {against}, pair by pair.")
        rows = [[title(name), *(cell(cells.get((name, case))) for case in cases)] for name in names]
        parts.append(table(headings, rows))
    return "\n\n".join(parts)


def cell(figure: Figure | None) -> str:
    """Return the cell of a table that shows a figure."""
    if figure is None:
        return ""
    if figure.ratio is None:
        text = spread(figure.value)
    else:
        text = f"{number(figure.value.median)} · ×{spread(figure.ratio)}"
    return f"{text}; {figure.note}" if figure.note else text


def targets(results: Results) -> str:
    """Return the table of the targets and what was measured."""
    rows = []
    for bound in BOUNDS:
        figure = bound.find(results)
        if figure is None or bound.target is None:
            continue
        value = bound.value(figure)
        met = "met" if bound.keeps(value, bound.target) else "missed"
        measured = figure.ratio if bound.ratio and figure.ratio is not None else figure.value
        rows.append([bound.promise, f"≤ {bound.target:g}", spread(measured), met])
    return "## Targets\n\n" + table(["", "target", "measured", ""], rows) if rows else ""


def contenders(described: dict[str, Any]) -> str:
    """Return the table of the contenders: their versions, and what keeps a probe from calling the dependency."""
    versions = described["versions"]
    rows = []
    for contender in CONTENDERS:
        used = ", ".join(f"{name} {versions[name]}" for name in contender.needs if versions[name])
        held = contender.held_back(machine.python_of(described))
        if not all(versions[name] for name in contender.needs):
            used = "not installed"
        used += f" ({held})" if held else ""
        rows.append([contender.title, used, contender.caches if contender.checks else "checks nothing"])
    return "## Contenders\n\n" + table(
        ["", f"with, on {described['python']}", "between a probe and the dependency"], rows
    )


def document(described: dict[str, Any], results: Results) -> str:
    """Return the whole report, the caveats first."""
    versions = ", ".join(f"{name} {version}" for name, version in described["versions"].items() if version)
    facts = (
        f"`{described['command']}` on {described['date']}, commit {described['commit']}: {described['python']}, "
        f"{described['system']}, {described['cores']} × {described['processor']}, load before "
        f"{described['load before']}, wrk {described['wrk'] or 'not installed'}. {versions}."
    )
    parts = ["# Benchmarks", "\n".join(f"- {caveat}" for caveat in CAVEATS), facts]
    if judged := targets(results):
        parts.append(judged)
    parts.append(contenders(described))
    measures = dict.fromkeys(figure.measure for figure in results.figures)
    parts += [section(measure, results.of(measure)) for measure in measures]
    if results.skipped:
        parts.append("## Not measured\n\n" + "\n".join(f"- {what}" for what in results.skipped))
    return "\n\n".join(parts) + "\n"
