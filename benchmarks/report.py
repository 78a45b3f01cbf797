"""Write results.json, results.md, the tables of the pages and the plots.

`python -m benchmarks.report` writes all but the first again from the tracked results.json, without a measurement.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import machine, plots, tables
from .contenders import CONTENDERS, LIMIT
from .figures import Figure, Results
from .pages import ANSWER, RESULTS, WAITS, insert

README = ("limit", "starlette", "fastapi-awaits", "asgi-health+fastapi")
"""The contenders in the first table and the plot, next to the peers."""

BAD_MOMENTS = {
    "50 probes as the cache expires": ("tail", "50 probes as the cache expires"),
    "the dependency hangs": ("tail", "dependency hangs"),
    "the check ignores its cancellation": ("tail", "check ignores cancellation"),
    "p99 among 1,000 checks": ("checks", "1,000 checks"),
}
"""The columns of the table of waits, each with a measure and its case."""


def write(folder: Path, described: dict[str, Any], results: Results) -> list[Path]:
    """Write every file for which the results have the figures, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "results.json": json.dumps({"machine": described, **results.plain()}, indent=1, ensure_ascii=False) + "\n",
        "results.md": tables.document(described, results),
        ANSWER: readme_table(described, results),
        WAITS: waits_table(described, results),
        "README.svg": readme_plot(results),
        "answer.svg": answer_plot(results),
        "latency.svg": latency_plot(results),
        "watching.svg": watching_plot(results),
    }
    written = []
    for name, text in files.items():
        if text:
            (folder / name).write_text(text)
            written.append(folder / name)
    return written


def rewrite(folder: Path = RESULTS) -> None:
    """Write every other file again from results.json, and the tables into the pages that show them."""
    plain = json.loads((folder / "results.json").read_text())
    write(folder, plain["machine"], Results.of_plain(plain))
    for name in (ANSWER, WAITS):
        insert(name, (folder / name).read_text())


def readme_table(described: dict[str, Any], results: Results) -> str:
    """Return the table of what a probe costs, without the columns that were not measured; empty when no answer was."""
    headings = [
        "one answer in process, × the limit",
        "processor time of the server per probe, × the limit",
        "probes/s under uvicorn, × the limit",
        "longest wait while the dependency hangs",
        "runs of the check by 100,000 probes",
    ]
    rows = []
    for contender in CONTENDERS:
        figures = (
            results.find("answer", "GET ready", contender.name),
            results.find("processor, uvicorn", "16 kept", contender.name),
            results.find("served, uvicorn", "16 kept", contender.name),
            results.find("tail", "dependency hangs", contender.name),
            results.find("load", "100,000 probes", contender.name),
        )
        if figures[0] is None or (contender.ours and contender.name != "asgi-health+fastapi"):
            continue
        texts: tuple[Callable[[Figure], str], ...] = (_ratio, _ratio, _ratio, _wait, _median)
        cells = ["–" if figure is None else text(figure) for figure, text in zip(figures, texts, strict=True)]
        title = (
            f"{contender.title} {described['versions'][contender.needs[0]]}"
            if _kind(contender.name) == "peer"
            else contender.title
        )
        rows.append([title, *cells])
    if not rows:
        return ""
    measured = [0, *(place for place in range(1, len(rows[0])) if any(row[place] != "–" for row in rows))]
    caveat = (
        f"Medians of ratios measured side by side on one machine ({described['cores']} × {described['processor']}, "
        f"{described['python']}, {described['date'][:10]}); the check costs nothing, the limit is an app that sends "
        "two constant messages. `python -m benchmarks` measures yours."
    )
    parts = [
        caveat,
        tables.table(
            [["", *headings][place] for place in measured], [[row[place] for place in measured] for row in rows]
        ),
    ]
    if held := _held_back(described):
        parts.append(held)
    return "\n\n".join(parts) + "\n"


def waits_table(described: dict[str, Any], results: Results) -> str:
    """Return the longest waits of a probe, by what is between it and the dependency; empty when none was measured."""
    rows = []
    for contender in CONTENDERS:
        figures = [results.find(*case, contender.name) for case in BAD_MOMENTS.values()]
        if contender.checks and any(figures):
            cells = ["–" if figure is None else _wait(figure) for figure in figures]
            rows.append([contender.title, contender.caches, *cells])
    if not rows:
        return ""
    caveat = (
        f"The longest wait of a probe, in the last column the 99th percentile, on one machine ({described['cores']} × "
        f"{described['processor']}, {described['python']}, {described['date'][:10]}); a probe gives up after 5 s."
    )
    return f"{caveat}\n\n{tables.table(['', 'between a probe and the dependency', *BAD_MOMENTS], rows)}\n"


def _held_back(described: dict[str, Any]) -> str:
    """Return which peers did not run in their newest release, and why."""
    older: list[str] = []
    absent: list[str] = []
    for contender in CONTENDERS:
        if because := contender.held_back(machine.python_of(described)):
            (older if described["versions"][contender.needs[0]] else absent).append(f"{contender.title} ({because})")
    parts = [f"On {described['python']}"]
    if older:
        parts.append(f"not in its newest release: {', '.join(older)}")
    if absent:
        parts.append(f"not at all: {', '.join(absent)}")
    return "; ".join(parts) + "." if older or absent else ""


def readme_plot(results: Results) -> str:
    """Return the plot of the README: what a probe costs the server, and the wait for a dependency that hangs."""
    spent = _bars(results, "processor, uvicorn", "16 kept", ratio=True)
    hang = _bars(results, "tail", "dependency hangs", ratio=False)
    if not spent or not hang:
        return ""
    return plots.bars(
        plots.Panel(
            "Processor time of the server per probe, times the constant app",
            "uvicorn, 16 connections; shorter is better",
            spent,
        ),
        plots.Panel(
            "The longest wait of a probe while a dependency hangs",
            "logarithmic; shorter is better; a probe gives up after 5 s",
            hang,
            logarithmic=True,
        ),
    )


def answer_plot(results: Results) -> str:
    """Return the plot of what an answer costs in process."""
    bars = _bars(results, "answer", "GET ready", ratio=True, wanted=None)
    panel = plots.Panel(
        "One answer in process, times the constant app", "logarithmic; shorter is better", bars, logarithmic=True
    )
    return plots.bars(panel) if bars else ""


def latency_plot(results: Results) -> str:
    """Return the plot of the latency distribution with a new connection per probe."""
    figures = results.of("latency, uvicorn, 16 new")
    percentiles = list(dict.fromkeys(figure.case for figure in figures))
    points: dict[str, list[tuple[int, float]]] = {}
    for figure in figures:
        point = percentiles.index(figure.case), figure.value.median / 1000
        points.setdefault(figure.contender, []).append(point)
    note = "16 connections at a time, each probe on a new one"
    return plots.lines("Latency of a probe", note, _lines(points), percentiles, unit="ms") if points else ""


def watching_plot(results: Results) -> str:
    """Return the plot of the processor time against the number of checks."""
    figures = [f for f in results.of("watching") if f.unit == "% of a core"]
    sizes = sorted({_size(f) for f in figures})
    if len(sizes) < 2:
        return ""
    points: dict[str, list[tuple[int, float]]] = {}
    for figure in sorted(figures, key=_size):
        points.setdefault(figure.contender, []).append((sizes.index(_size(figure)), figure.value.median))
    places = [f"{size:,} checks" for size in sizes]
    note = "checks every 10 s; both scales logarithmic"
    return plots.lines("Processor time of an idle process", note, _lines(points), places, unit="%")


def _lines(points: dict[str, list[tuple[int, float]]]) -> list[plots.Line]:
    colours = _colours(list(points))
    return [plots.Line(tables.title(name), taken, colours[name]) for name, taken in points.items()]


def _colours(names: list[str]) -> dict[str, str]:
    """Return a colour for each contender, no two alike in one chart."""
    colours: dict[str, str] = {}
    for name in names:
        kind = _kind(name)
        same = [known for known in plots.COLOURS if known == kind or known.startswith(f"{kind}-")]
        free = [known for known in same if known not in colours.values()]
        colours[name] = (free or same)[0]
    return colours


def _size(figure: Figure) -> int:
    return int(figure.case.split()[0].replace(",", ""))


def _bars(
    results: Results, measure: str, case: str, *, ratio: bool, wanted: tuple[str, ...] | None = README
) -> list[plots.Bar]:
    bars = []
    for contender in CONTENDERS:
        figure = results.find(measure, case, contender.name)
        if figure is None or (wanted is not None and contender.name not in wanted and _kind(contender.name) != "peer"):
            continue
        if ratio:
            if figure.ratio is not None:
                median = figure.ratio.median
                bars.append(plots.Bar(contender.title, median, f"{tables.number(median)}×", _kind(contender.name)))
        else:
            bars.append(plots.Bar(contender.title, figure.value.median, _wait(figure), _kind(contender.name)))
    return bars


def _kind(name: str) -> str:
    if name.startswith("asgi-health"):
        return "ours"
    if name == LIMIT.name:
        return "limit"
    return "hand" if name in ("starlette", "fastapi", "fastapi-awaits") else "peer"


def _ratio(figure: Figure) -> str:
    return "" if figure.ratio is None else tables.spread(figure.ratio, "×")


def _median(figure: Figure) -> str:
    return tables.number(figure.value.median)


def _wait(figure: Figure) -> str:
    milliseconds = figure.value.median
    if figure.note.startswith("given up"):
        return f"> {int(milliseconds / 1000)} s"
    return f"{milliseconds / 1000:.1f} s" if milliseconds >= 1000 else f"{tables.number(milliseconds)} ms"


if __name__ == "__main__":
    rewrite()
